// The page in a real browser. Needs Chromium (Debian: `apt-get install chromium`) at $CHROMIUM or /usr/bin/chromium;
// with SCREENSHOTS=folder it leaves pictures there.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { chromium } from 'playwright-core'
import { startServer, untilIdle } from './server.mjs'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const skip = existsSync(executablePath) ? false : `there is no browser at ${executablePath}`

describe('the page', { skip }, () => {
  let server
  let browser
  before(async () => {
    server = await startServer('--api-key', 'key')
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  })
  after(async () => {
    await browser?.close()
    await server?.stop()
  })

  async function open(colorScheme, width = 1360) {
    const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } })
    const failures = []
    const hosts = new Set()
    page.on('pageerror', (error) => failures.push(error.message))
    page.on('request', (request) => hosts.add(new URL(request.url()).origin))
    await page.goto(server.url)
    await page.getByLabel('API key').fill('key')
    await page.keyboard.press('Tab')
    await page.getByText('slots of').waitFor()
    await page.locator('.slot').first().waitFor()
    return { page, failures, hosts }
  }

  for (const colorScheme of ['light', 'dark'])
    it(`answers from documents and shows how, ${colorScheme}`, async () => {
      const { page, failures, hosts } = await open(colorScheme)
      await page.locator('#examples button').first().click()
      assert.match(await page.locator('#doccount').textContent(), /^2 documents$/)
      await page.locator('#draft').selectOption('8')
      await page.getByRole('button', { name: 'Send' }).click()
      await page.locator('#send:not([disabled])').waitFor()
      assert.ok((await page.locator('.turn.model .tok').count()) > 3)
      assert.ok((await page.locator('.tok:not(.model)').count()) > 0)
      assert.ok((await page.locator('#tree .node').count()) > 0)
      assert.ok((await page.locator('#tree .edge').count()) > 0)
      assert.ok((await page.locator('#histogram .bar').count()) > 0)
      assert.ok((await page.locator('#curve .dot').count()) > 0)
      assert.match(await page.locator('#figures').textContent(), /\d+ \/ \d+\s*drafted tokens accepted/)
      assert.match(await page.locator('#times').textContent(), /^\d+\.\d\d ×$/)
      assert.match(await page.locator('#plain').textContent(), /^[\d,]+ one by one/)
      await page.locator('#corpus', { hasText: /2 documents, \d+ answers?, [\d,]+ tokens, \d+\.\d MiB/ }).waitFor()
      assert.match(await page.locator('#namespaces tbody').textContent(), /^default2/)
      // A word leads to its forward, the arrow keys to the next ones.
      await page.locator('.tok:not(.model)').first().click()
      const [, chosen] = /Draft of forward (\d+)/.exec(await page.locator('#treetitle').textContent())
      assert.ok((await page.locator('.tok.near').count()) > 0)
      await page.locator('#strip').press('ArrowLeft')
      assert.equal(await page.locator('#treetitle').textContent(), `Draft of forward ${Number(chosen) - 1}`)
      await page.locator('#strip').press('ArrowRight')
      assert.deepEqual(failures, [])
      assert.deepEqual([...hosts], [server.url])
      if (process.env.SCREENSHOTS)
        await page.screenshot({ path: path.join(process.env.SCREENSHOTS, `page-${colorScheme}.png`), fullPage: true })
      await page.close()
    })

  it('forgets a namespace when told', async () => {
    const { page, failures } = await open('light')
    await page.locator('#examples button').nth(1).click()
    await page.getByRole('button', { name: 'Send' }).click()
    await page.locator('#send:not([disabled])').waitFor()
    page.on('dialog', (dialog) => dialog.accept())
    await page.getByRole('button', { name: 'forget' }).click()
    await page.locator('#corpus', { hasText: '0 documents, 0 answers' }).waitFor()
    assert.equal(await page.locator('#namespaces').isVisible(), false)
    assert.deepEqual(failures, [])
    await page.close()
  })

  it('fits a narrow screen', async () => {
    const { page } = await open('light', 380)
    await page.locator('#examples button').first().click()
    await page.locator('#draft').selectOption('8')
    await page.getByRole('button', { name: 'Send' }).click()
    await page.locator('#send:not([disabled])').waitFor()
    const [inner, wide] = await page.evaluate(() => [innerWidth, document.documentElement.scrollWidth])
    assert.ok(wide <= inner, `${wide} pixels on a screen of ${inner}`)
    if (process.env.SCREENSHOTS)
      await page.screenshot({ path: path.join(process.env.SCREENSHOTS, 'page-narrow.png'), fullPage: true })
    await page.close()
  })

  it('shows refusals as they are worded, and stops when told', async () => {
    const { page, failures } = await open('light')
    await page.locator('#question').fill('word '.repeat(3000))
    await page.keyboard.press('Enter')
    await page.locator('.turn.failed').waitFor()
    assert.match(await page.locator('.turn.failed').textContent(), /the context holds/)
    await page.locator('#question').fill('Hello')
    await page.locator('#tokens').fill('2000')
    await page.locator('#temperature').fill('2')
    await page.getByRole('button', { name: 'Send' }).click()
    await page.getByRole('button', { name: 'New chat' }).click()
    await page.locator('#send:not([disabled])').waitFor()
    await page.close()
    await untilIdle(server.url)
    assert.deepEqual(failures, [])
  })
})
