// MQTT.js with a session that outlives its connections. Arguments: the folder of node_modules, and settings as JSON.
// Receives until "end" and prints each message on a line, or publishes the messages and prints "end" when all are acknowledged.
"use strict";
const { createRequire } = require("node:module");
const [folder, settings] = process.argv.slice(2);
const { url, user, password, version, clientId, topic, qos, bodies } = JSON.parse(settings);

const client = createRequire(`${folder}/`)("mqtt").connect(url, {
  username: user, password, protocolVersion: version, clientId, clean: false, reconnectPeriod: 50, connectTimeout: 1000,
  properties: version === 5 ? { sessionExpiryInterval: 600 } : undefined,
});
client.on("error", () => {}); // a lost connection; the library comes back
let begun = false;

client.once("connect", async () => {
  if (begun) return;
  begun = true;
  if (bodies) {
    await Promise.all(bodies.map((body) => client.publishAsync(topic, body, { qos })));
    console.log("end");
    client.end();
  } else {
    await client.subscribeAsync(topic, { qos });
    console.log("subscribed");
  }
});

client.on("message", (_, body) => {
  console.log(body.toString());
  if (body.toString() === "end") client.end();
});
