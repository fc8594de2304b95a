// The tus protocol's own implementation for Node behind mutual TLS: node tus_stranger.mjs FOLDER CA CERT KEY
// It prints its port. What is uploaded for a request lies in FOLDER under the request's id, and once it is whole, a copy
// with the ending .whole: this server has no receipt to give, so the device begins anew, and the first file is emptied.
import {createRequire} from 'node:module';
import {copyFileSync, readFileSync, renameSync} from 'node:fs';
import https from 'node:https';

const require = createRequire(process.cwd() + '/');
const {Server} = require('@tus/server');
const {FileStore} = require('@tus/file-store');

const [folder, ca, cert, key] = process.argv.slice(2);
const tus = new Server({
  path: '/exports',
  datastore: new FileStore({directory: folder}),
  namingFunction: (request, metadata) => metadata.request,
  onUploadFinish: async (request, upload) => {
    copyFileSync(`${folder}/${upload.id}`, `${folder}/${upload.id}.part`);
    renameSync(`${folder}/${upload.id}.part`, `${folder}/${upload.id}.whole`);
    return {};
  },
});
const options = {ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key), requestCert: true,
                 rejectUnauthorized: true};
const server = https.createServer(options, (request, response) => tus.handle(request, response));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit()).resume();
