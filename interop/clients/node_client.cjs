// A client of Node.js: subscribes, publishes three messages, prints what it receives as one line of JSON each, and ends
// with the message "end". Arguments: the folder of node_modules, the library, and its settings as JSON.
"use strict";
const { createRequire } = require("node:module");
const [folder, library, settings] = process.argv.slice(2);
const load = createRequire(`${folder}/`);
const { url, user, password, version, binary, back, there } = JSON.parse(settings);

function received(body, more) {
  console.log(JSON.stringify({ body: Buffer.from(body).toString("base64"), ...more }));
  return Buffer.from(body).toString() === "end";
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

function mqttjs() {
  const client = load("mqtt").connect(url, {
    username: user, password, protocolVersion: version, protocolId: version === 3 ? "MQIsdp" : "MQTT", reconnectPeriod: 0,
  });
  client.on("error", fail);
  client.on("message", (topic, body, packet) => {
    if (received(body, { qos: packet.qos })) client.end();
  });
  client.on("connect", async () => {
    await client.subscribeAsync(back, { qos: 2 });
    for (const qos of [0, 1, 2]) await client.publishAsync(there, `qos ${qos}`, { qos });
  });
}

function stompjs() {
  const { Client, Versions } = load("@stomp/stompjs");
  const { WebSocket } = load("ws");
  const client = new Client({
    webSocketFactory: () => new WebSocket(url, new Versions([version]).protocolVersions()),
    stompVersions: new Versions([version]),
    forceBinaryWSFrames: binary, connectHeaders: { login: user, passcode: password },
    heartbeatIncoming: 1000, heartbeatOutgoing: 1000, reconnectDelay: 0,
  });
  client.onWebSocketError = client.onStompError = fail;
  client.onConnect = () => {
    client.watchForReceipt("subscribed", () => {
      for (const number of [0, 1, 2]) client.publish({ destination: there, body: `number ${number}` });
    });
    client.subscribe(back, async (message) => {
      if (received(message.binaryBody, {})) await client.deactivate();
    }, { receipt: "subscribed" });
  };
  client.activate();
}

({ mqttjs, stompjs })[library]();
