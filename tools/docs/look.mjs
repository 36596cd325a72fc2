// Looks at the built site in Chromium: every page at a desktop's and a phone's width, light and dark.
//   node tools/docs/look.mjs [PICTURES]
// Fails on console errors, requests that leave the site, pages wider than the screen, and violations that axe-core finds.
// Writes pictures of some pages to the folder PICTURES, if one is given.
import { createServer } from 'node:http'
import { readFile, readdir, mkdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import puppeteer from 'puppeteer-core'

const site = path.resolve(import.meta.dirname, '../../target/site')
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const pictures = process.argv[2] && path.resolve(process.argv[2])
const PICTURED = new Set(['/', '/tutorial/', '/options/', '/explain/policies/', '/reference/python/'])
const VIEWS = [
  { name: 'desktop-light', width: 1280, height: 900, scheme: 'light' },
  { name: 'desktop-dark', width: 1280, height: 900, scheme: 'dark' },
  { name: 'phone-light', width: 390, height: 844, scheme: 'light' },
  { name: 'phone-dark', width: 390, height: 844, scheme: 'dark' },
]
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json' }

async function serve() {
  const server = createServer(async (request, response) => {
    const name = decodeURIComponent(new URL(request.url, 'http://localhost').pathname)
    const file = path.join(site, name.endsWith('/') ? `${name}index.html` : name)
    try {
      const body = await readFile(file)
      response.writeHead(200, { 'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream' }).end(body)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  return server
}

async function pages() {
  const files = await readdir(site, { recursive: true })
  return files.filter((name) => name.endsWith('index.html')).map((name) => `/${name.slice(0, -'index.html'.length)}`).sort()
}

const server = await serve()
const origin = `http://127.0.0.1:${server.address().port}`
const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
const faults = []
if (pictures) await mkdir(pictures, { recursive: true })
for (const view of VIEWS) {
  // A context of its own: the theme remembers the colours that a reader chose.
  const context = await browser.createBrowserContext()
  const page = await context.newPage()
  await page.setViewport(view)
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: view.scheme }])
  let where = ''
  page.on('console', (message) => message.type() === 'error' && faults.push(`${view.name} ${where}: ${message.text()}`))
  page.on('pageerror', (error) => faults.push(`${view.name} ${where}: ${error.message}`))
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(origin) && !url.startsWith('data:') && !url.startsWith('blob:')) {
      faults.push(`${view.name} ${where}: asks for ${url}`)
    }
  })
  for (where of await pages()) {
    await page.goto(origin + where, { waitUntil: 'load' })
    await page.addScriptTag({ path: axe })
    const wide = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = globalThis.document.documentElement
      return scrollWidth - clientWidth
    })
    if (wide > 1) faults.push(`${view.name} ${where}: ${wide} pixels wider than the screen`)
    const { violations } = await page.evaluate(() => globalThis.axe.run('main', { runOnly: ['wcag2a', 'wcag2aa'] }))
    for (const { id, nodes } of violations) faults.push(`${view.name} ${where}: ${id} (${nodes.length}): ${nodes[0].html.slice(0, 120)}`)
    if (pictures && PICTURED.has(where)) {
      await new Promise((done) => setTimeout(done, 1000)) // diagrams are drawn after the page is loaded
      const name = where.replaceAll('/', '-').replace(/^-|-$/g, '') || 'home'
      await page.screenshot({ path: path.join(pictures, `${name}-${view.name}.png`) })
    }
  }
  await context.close()
}
await browser.close()
server.close()
for (const fault of new Set(faults)) console.error(fault)
console.log(`${(await pages()).length} pages in ${VIEWS.length} views: ${new Set(faults).size} faults`)
process.exitCode = faults.length ? 1 : 0
