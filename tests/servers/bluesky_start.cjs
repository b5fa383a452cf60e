// Start a PLC directory and a Bluesky PDS in one process, on the ports and in the folder given as JSON.
'use strict'
const { createRequire } = require('node:module')
const { randomBytes } = require('node:crypto')
const { mkdirSync } = require('node:fs')
const { join } = require('node:path')

const settings = JSON.parse(process.argv[2])
const cached = createRequire(join(settings.modules, 'package.json'))
// Nothing of the outside is reached: port 9 (discard) refuses, so a call to the app view fails at once.
const nowhere = 'http://127.0.0.1:9'

function pdsEnvironment() {
  return {
    devMode: true, hostname: 'localhost', port: settings.port, serviceName: 'PDS for tests',
    dataDirectory: folder('data'), blobstoreDiskLocation: folder('blobs'),
    didPlcUrl: `http://localhost:${settings.plcPort}`,
    serviceHandleDomains: ['.test'], inviteRequired: false, crawlers: [],
    rateLimitsEnabled: settings.rateLimits,
    // On loopback every address is one that this protection would refuse.
    disableSsrfProtection: true,
    adminPassword: settings.adminPassword, jwtSecret: randomBytes(16).toString('hex'),
    plcRotationKeyK256PrivateKeyHex: randomBytes(32).toString('hex'),
    bskyAppViewUrl: nowhere, bskyAppViewDid: 'did:example:nobody',
    bskyAppViewCdnUrlPattern: `${nowhere}/%s/%s/%s`,
    modServiceUrl: nowhere, modServiceDid: 'did:example:nobody',
  }
}

function folder(name) {
  const path = join(settings.folder, name)
  mkdirSync(path, { recursive: true })
  return path
}

async function main() {
  const plc = cached('@did-plc/server')
  const { PDS, envToCfg, envToSecrets } = cached('@atproto/pds')
  const directory = plc.PlcServer.create({ db: plc.Database.mock(), port: settings.plcPort })
  await directory.start()
  const environment = pdsEnvironment()
  const server = await PDS.create(envToCfg(environment), envToSecrets(environment))
  await server.start()
  process.on('SIGTERM', () => process.exit(0))
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
