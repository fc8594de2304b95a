// The tus protocol's own implementation for Node behind mutual TLS: node tus_stranger.mjs FOLDER CA CERT KEY
// It prints its port. What is uploaded for a request lies in FOLDER under the request's id.
import {createRequire} from 'node:module';
import {readFileSync} from 'node:fs';
import https from 'node:https';

const require = createRequire(process.cwd() + '/');
const {Server} = require('@tus/server');
const {FileStore} = require('@tus/file-store');

const [folder, ca, cert, key] = process.argv.slice(2);
const tus = new Server({
  path: '/exports',
  datastore: new FileStore({directory: folder}),
  namingFunction: (request, metadata) => metadata.request,
});
const options = {ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key), requestCert: true,
                 rejectUnauthorized: true};
const server = https.createServer(options, (request, response) => tus.handle(request, response));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit()).resume();
