// A tus server over a folder. With SYNC=fsync an upload is synced, its folder too, before its last PATCH is answered.
import { open } from 'node:fs/promises'
import path from 'node:path'
import { Server } from '@tus/server'
import { FileStore } from '@tus/file-store'

const directory = process.env.DIRECTORY
const port = Number(process.env.PORT)

async function sync (target) {
  const file = await open(target, 'r')
  try { await file.sync() } finally { await file.close() }
}

class SyncingFileStore extends FileStore {
  async write (readable, id, offset) {
    const end = await super.write(readable, id, offset)
    const upload = await this.getUpload(id)
    if (end === upload.size) {
      await sync(path.join(directory, id))
      await sync(directory)
    }
    return end
  }
}

const Store = process.env.SYNC === 'fsync' ? SyncingFileStore : FileStore
const server = new Server({ path: '/files', datastore: new Store({ directory }) })
server.listen({ host: '127.0.0.1', port }, () => console.log(port))
