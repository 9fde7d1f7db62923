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

  async function open(colorScheme) {
    const page = await browser.newPage({ colorScheme, viewport: { width: 1360, height: 900 } })
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
      await page.getByRole('button', { name: 'Example' }).click()
      await page.locator('#draft').selectOption('8')
      await page.getByRole('button', { name: 'Send' }).click()
      await page.locator('#send:not([disabled])').waitFor()
      assert.match(await page.locator('.turn').last().textContent(), /passport/)
      assert.ok((await page.locator('.tok:not(.model)').count()) > 0)
      assert.ok((await page.locator('#tree .node').count()) > 0)
      assert.ok((await page.locator('#histogram .bar').count()) > 0)
      assert.ok((await page.locator('#curve .dot').count()) > 0)
      assert.match(await page.locator('#figures').textContent(), /\d+ \/ \d+\s*drafted tokens accepted/)
      await page.locator('#corpus', { hasText: /2 documents, \d+ answers?, [\d,]+ tokens, \d+\.\d MiB/ }).waitFor()
      await page.locator('.tok:not(.model)').first().click()
      assert.match(await page.locator('#treetitle').textContent(), /Draft of forward \d+/)
      assert.deepEqual(failures, [])
      assert.deepEqual([...hosts], [server.url])
      if (process.env.SCREENSHOTS)
        await page.screenshot({ path: path.join(process.env.SCREENSHOTS, `page-${colorScheme}.png`), fullPage: true })
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
