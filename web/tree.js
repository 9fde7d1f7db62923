/** The draft tree of one forward. */
import { svg } from './svg.js'
import { $, colourOf, placeOf } from './words.js'

const measure = document.createElement('canvas').getContext('2d')
/** The step that was drawn last. */
let drawn

/**
 * The draft as a tree from left to right. The first child continues its parent's line, others open lines of their own;
 * the path the model took is framed, and ends in the token it computed itself.
 */
export function drawTree(steps, index, isPinned) {
  const step = steps[index]
  $('treetitle').textContent = !step ? 'Draft of a forward' : `Draft of forward ${index + 1}${isPinned ? '' : ', the most telling'}`
  $('treenote').textContent = step ? (step.drafted > 0 ? `${step.accepted} of ${step.drafted} accepted` : '') : ''
  const empty = !step || step.tree.length === 0
  $('tree').toggleAttribute('hidden', empty)
  $('treetext').hidden = !empty
  if (empty) {
    if (step) $('treetext').textContent = index === 0 ? 'This forward read the prompt.' : 'Nothing was drafted: it would not have paid.'
    return
  }
  measure.font = `12px ${getComputedStyle(document.body).getPropertyValue('--mono')}`
  const wide = (text) => Math.max(14, measure.measureText(text).width + 10)
  const show = (text) => (text === '' ? '∎' : text.replaceAll('\n', '↵').replaceAll('\t', '⇥'))
  const lineHeight = 25
  const gap = 20
  const before = steps[index - 1]?.pieces.at(-1)?.text ?? '…'
  const root = { x: 2, line: 0, width: wide(show(before)), text: show(before), kind: 'root', accepted: true }
  const children = new Map()
  for (const [node, { parent }] of step.tree.entries()) children.set(parent, [...(children.get(parent) ?? []), node])
  const boxes = []
  let lines = 1
  const place = (node, parent, line) => {
    const entry = step.tree[node]
    const text = show(entry.text)
    const box = { x: parent.x + parent.width + gap, line, width: wide(text), text, kind: colourOf(entry), entry, parent, accepted: entry.accepted }
    boxes.push(box)
    for (const [k, child] of (children.get(node) ?? []).entries()) place(child, box, k === 0 ? line : lines++)
  }
  for (const [k, node] of (children.get(-1) ?? []).entries()) place(node, root, k === 0 ? 0 : lines++)
  const tip = boxes.filter((box) => box.accepted).at(-1) ?? root
  const own = step.pieces.length > step.accepted ? step.pieces.at(-1) : undefined
  if (own) {
    // It stands where its line is free: behind the tip, or on a line of its own.
    const free = !boxes.some((box) => box.parent === tip && box.line === tip.line)
    const text = show(own.text)
    boxes.push({ x: tip.x + tip.width + gap, line: free ? tip.line : lines++, width: wide(text), text, kind: 'bonus', parent: tip, accepted: true })
  }
  const middle = (box) => 14 + box.line * lineHeight
  const edges = boxes.map((box) => {
    const [x1, y1, x2, y2] = [box.parent.x + box.parent.width, middle(box.parent), box.x, middle(box)]
    return svg('path', { class: `edge ${box.accepted ? 'accepted' : ''}`, d: `M${x1} ${y1}C${x1 + gap / 2} ${y1} ${x1 + gap / 2} ${y2} ${x2} ${y2}` })
  })
  // Accepted edges lie on top.
  edges.sort((a, b) => a.classList.contains('accepted') - b.classList.contains('accepted'))
  const nodes = [root, ...boxes].map((box) => {
    const group = svg('g', { class: `${box.entry ? 'node ' : ''}${box.kind} ${box.accepted ? 'accepted' : ''}` })
    if (box.entry && !box.accepted) group.style.opacity = 0.4 + 0.6 * Math.sqrt(box.entry.probability)
    group.append(
      svg('rect', { x: box.x, y: middle(box) - 10, width: box.width, height: 20, rx: 5 }),
      svg('text', { x: box.x + 5, y: middle(box) + 4 }, box.text),
      svg('title', {}, box.entry
        ? `${(100 * box.entry.probability).toFixed(0)} % expected, ${placeOf(box.entry)}, after a match of ${box.entry.match_length} tokens`
        : box.kind === 'root' ? 'the last token before this forward' : 'computed by this forward'),
    )
    return group
  })
  const width = Math.max(...[root, ...boxes].map((box) => box.x + box.width)) + 4
  const height = lines * lineHeight + 4
  const tree = $('tree')
  for (const [key, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` })) tree.setAttribute(key, value)
  tree.replaceChildren(...edges, ...nodes)
  if (step === drawn) return
  drawn = step
  // Where ways part is what a tree has to tell: of one that is wider than its box, that part is in view.
  const fork = [root, ...boxes].find((box) => boxes.filter(({ parent }) => parent === box).length > 1)
  const box = $('treebox')
  box.scrollLeft = fork ? fork.x - box.clientWidth / 3 : 0
}
