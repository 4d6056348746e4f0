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

// A TCP connection with the face of a WebSocket, which is all that stompjs asks for.
function tcpAsWebSocket({ hostname, port }) {
  const { connect } = require("node:net");
  const face = { url, readyState: 0, protocol: "", binaryType: "arraybuffer", send: (data) => socket.write(data),
    close: () => { face.readyState = 2; socket.end(); } };
  const socket = connect({ host: hostname, port: Number(port) }, () => { face.readyState = 1; face.onopen({}); });
  socket.on("data", (data) => face.onmessage({ data: data.buffer.slice(data.byteOffset, data.byteOffset + data.length) }));
  socket.on("error", fail);
  socket.on("close", () => { face.readyState = 3; face.onclose({ code: 1000 }); });
  return face;
}

function stompjs() {
  const { Client, Versions } = load("@stomp/stompjs");
  const { WebSocket } = load("ws");
  const place = new URL(url);
  const client = new Client({
    webSocketFactory: () => place.protocol === "tcp:"
      ? tcpAsWebSocket(place) : new WebSocket(url, new Versions([version]).protocolVersions()),
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

function stompit() {
  const { hostname, port } = new URL(url);
  const connectHeaders = { host: "/", login: user, passcode: password, "accept-version": version, "heart-beat": "1000,1000" };
  load("stompit").connect({ host: hostname, port: Number(port), connectHeaders }, (error, client) => {
    if (error) fail(error);
    client.on("error", fail);
    client.subscribe({ destination: back, id: "back", ack: "client-individual" }, (error, message) => {
      if (error) fail(error);
      const pieces = [];
      message.on("data", (piece) => pieces.push(piece));
      message.on("end", () => {
        client.ack(message);
        if (received(Buffer.concat(pieces), { encoding: message.headers["content-encoding"] })) client.disconnect();
      });
    });
    const send = (number) => {
      const headers = { destination: there, "content-length": String(Buffer.byteLength(`number ${number}`)) };
      client.send(headers, { onReceipt: () => number < 2 && send(number + 1) }).end(`number ${number}`);
    };
    send(0);
  });
}

({ mqttjs, stompjs, stompit })[library]();
