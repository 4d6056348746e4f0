// amqplib as applications use it, against the broker at AMQP_URL. Run with `node --test`.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import amqp from 'amqplib';

const URL = process.env.AMQP_URL;
const REPLIES = 'amq.rabbitmq.reply-to';
const RUN = `node-${process.pid}`;

let connection;
let channel;
let number = 0;

const name = () => `${RUN}-${++number}`;

before(async () => {
  connection = await amqp.connect(URL, { clientProperties: { connection_name: RUN } });
});

after(() => connection.close());

beforeEach(async () => {
  channel = await connection.createConfirmChannel();
});

afterEach(async () => {
  try {
    await channel.close();
  } catch (error) {
    assert.equal(error.message, 'Channel closed');
  }
});

async function declared(options = {}) {
  return (await channel.assertQueue('', { exclusive: true, durable: false, ...options })).queue;
}

// Resolves as soon as the broker has taken the message.
function published(exchange, key, body, options = {}) {
  return new Promise((resolve, reject) => {
    channel.publish(exchange, key, Buffer.from(body), options, (error) => (error ? reject(error) : resolve()));
  });
}

// Starts a consumer; `next()` resolves with the next delivery, or null when the broker cancels it.
async function consumed(queue, options = {}) {
  const arrived = [];
  const waiting = [];
  const { consumerTag } = await channel.consume(
    queue,
    (message) => (waiting.length ? waiting.shift()(message) : arrived.push(message)),
    options,
  );
  const next = () =>
    arrived.length ? Promise.resolve(arrived.shift()) : new Promise((resolve) => waiting.push(resolve));
  return { consumerTag, next };
}

// Waits until a channel is closed by the broker, and returns its error.
async function failure(action) {
  const closed = once(channel, 'error');
  action().catch(() => {});
  return (await closed)[0];
}

test('the broker says what it can', () => {
  const { capabilities } = connection.connection.serverProperties;
  for (const capability of ['publisher_confirms', 'basic.nack', 'consumer_cancel_notify', 'exchange_exchange_bindings']) {
    assert.equal(capabilities[capability], true, capability);
  }
});

test('a queue is declared, found, purged and deleted', async () => {
  const queue = name();
  assert.deepEqual(await channel.assertQueue(queue, { exclusive: true }), { queue, messageCount: 0, consumerCount: 0 });
  await published('', queue, 'x');
  assert.equal((await channel.checkQueue(queue)).messageCount, 1);
  assert.equal((await channel.purgeQueue(queue)).messageCount, 1);
  assert.equal((await channel.deleteQueue(queue)).messageCount, 0);
});

test('a confirmed message is fetched with its properties', async () => {
  const queue = await declared();
  const options = {
    contentType: 'text/plain', contentEncoding: 'utf-8', deliveryMode: 2, priority: 3, correlationId: 'c', replyTo: 'r',
    expiration: '60000', messageId: 'm', timestamp: 1700000000, type: 't', appId: 'a',
    headers: { word: 'ü', number: -5, big: 2 ** 40, half: 0.5, yes: true, nothing: null, list: [1, 'two'], table: { deep: { er: 1 } } },
  };
  await published('', queue, 'höllo', options);
  const message = await channel.get(queue, { noAck: true });
  assert.equal(message.content.toString(), 'höllo');
  const { headers, ...stated } = options;
  for (const [key, value] of Object.entries(stated)) assert.equal(message.properties[key], value, key);
  assert.deepEqual(message.properties.headers, headers);
  assert.equal(message.fields.redelivered, false);
  assert.equal(message.fields.messageCount, 0);
  assert.equal(await channel.get(queue), false);
});

test('many confirms come, each once', async () => {
  const queue = await declared();
  let confirmed = 0;
  for (let i = 0; i < 500; i++) channel.sendToQueue(queue, Buffer.from(`${i}`), {}, () => confirmed++);
  await channel.waitForConfirms();
  assert.equal(confirmed, 500);
  assert.equal((await channel.checkQueue(queue)).messageCount, 500);
});

test('deliveries are acknowledged, one and many, and come in order', async () => {
  const queue = await declared();
  for (let i = 0; i < 5; i++) await published('', queue, `${i}`);
  const consumer = await consumed(queue);
  const messages = [];
  for (let i = 0; i < 5; i++) messages.push(await consumer.next());
  assert.deepEqual(messages.map((message) => message.content.toString()), ['0', '1', '2', '3', '4']);
  channel.ack(messages[0]);
  channel.ack(messages[3], true);
  await channel.recover();
  const again = await consumer.next();
  assert.equal(again.content.toString(), '4');
  assert.equal(again.fields.redelivered, true);
  channel.ack(again);
});

test('what is refused or rejected comes again, or not', async () => {
  const queue = await declared();
  await published('', queue, 'x');
  const consumer = await consumed(queue);
  channel.nack(await consumer.next());
  channel.reject(await consumer.next(), true);
  const third = await consumer.next();
  assert.equal(third.fields.redelivered, true);
  channel.reject(third, false);
  await channel.cancel(consumer.consumerTag);
  assert.equal((await channel.checkQueue(queue)).messageCount, 0);
});

test('prefetch holds back what is not acknowledged', async () => {
  const queue = await declared();
  for (let i = 0; i < 3; i++) await published('', queue, `${i}`);
  await channel.prefetch(2);
  const consumer = await consumed(queue);
  const first = await consumer.next();
  await consumer.next();
  assert.equal((await channel.checkQueue(queue)).messageCount, 1);
  channel.ack(first);
  assert.equal((await consumer.next()).content.toString(), '2');
});

test('a mandatory message that nobody wants is returned before its confirm', async () => {
  const events = [];
  channel.on('return', (message) => events.push(message));
  await published('amq.direct', name(), 'back', { mandatory: true });
  assert.equal(events.length, 1);
  assert.equal(events[0].fields.replyCode, 312);
  assert.equal(events[0].fields.replyText, 'NO_ROUTE');
  assert.equal(events[0].content.toString(), 'back');
});

test('a rejected message goes to the dead letter exchange', async () => {
  const dead = await declared();
  const queue = await declared({ deadLetterExchange: '', deadLetterRoutingKey: dead });
  await published('', queue, 'x');
  channel.reject(await channel.get(queue), false);
  const message = await (await consumed(dead, { noAck: true })).next();
  const [death] = message.properties.headers['x-death'];
  assert.equal(death.reason, 'rejected');
  assert.equal(death.queue, queue);
  assert.equal(death.count, 1);
  assert.deepEqual(death['routing-keys'], [queue]);
  assert.equal(message.properties.headers['x-first-death-reason'], 'rejected');
});

test('messages expire, by the queue and by their own expiration', async () => {
  const dead = await declared();
  const options = { deadLetterExchange: '', deadLetterRoutingKey: dead };
  const byQueue = await declared({ ...options, messageTtl: 10 });
  const byMessage = await declared(options);
  const consumer = await consumed(dead, { noAck: true });
  await published('', byQueue, 'queue');
  assert.equal((await consumer.next()).properties.headers['x-death'][0].reason, 'expired');
  await published('', byMessage, 'message', { expiration: '10' });
  const message = await consumer.next();
  assert.equal(message.properties.headers['x-death'][0]['original-expiration'], '10');
  assert.equal(message.properties.expiration, undefined);
});

test('higher priorities come first', async () => {
  const queue = await declared({ maxPriority: 5 });
  for (const priority of [1, 5, 3]) await published('', queue, `${priority}`, { priority });
  const bodies = [];
  for (let i = 0; i < 3; i++) bodies.push((await channel.get(queue, { noAck: true })).content.toString());
  assert.deepEqual(bodies, ['5', '3', '1']);
});

test('a full queue drops its head, or refuses', async () => {
  const dropping = await declared({ maxLength: 1 });
  await published('', dropping, 'first');
  await published('', dropping, 'second');
  assert.equal((await channel.get(dropping, { noAck: true })).content.toString(), 'second');
  const refusing = await declared({ maxLength: 1, arguments: { 'x-overflow': 'reject-publish' } });
  await published('', refusing, 'first');
  await assert.rejects(published('', refusing, 'second'), /nack/);
});

test('a headers exchange routes by headers', async () => {
  const [all, any] = [await declared(), await declared()];
  await channel.bindQueue(all, 'amq.headers', '', { 'x-match': 'all', [RUN]: 1, other: 'a' });
  await channel.bindQueue(any, 'amq.headers', '', { 'x-match': 'any', [RUN]: 1, other: 'a' });
  await published('amq.headers', '', 'x', { headers: { [RUN]: 1 } });
  assert.equal((await channel.checkQueue(all)).messageCount, 0);
  assert.equal((await channel.checkQueue(any)).messageCount, 1);
});

test('exchanges are bound to each other', async () => {
  const [source, destination, queue] = [name(), name(), await declared()];
  await channel.assertExchange(source, 'topic', { autoDelete: true, durable: false });
  await channel.assertExchange(destination, 'fanout', { autoDelete: true, durable: false });
  await channel.bindExchange(destination, source, 'a.#');
  await channel.bindQueue(queue, destination, '');
  await published(source, 'a.b', 'x');
  await published(source, 'b', 'y');
  assert.equal((await channel.checkQueue(queue)).messageCount, 1);
  await channel.unbindExchange(destination, source, 'a.#');
});

test('what an exchange cannot route goes to its alternate', async () => {
  const [first, alternate, queue] = [name(), name(), await declared()];
  await channel.assertExchange(alternate, 'fanout', { autoDelete: true, durable: false });
  await channel.bindQueue(queue, alternate, '');
  await channel.assertExchange(first, 'direct', { durable: false, alternateExchange: alternate });
  await published(first, 'nobody', 'x', { mandatory: true });
  assert.equal((await channel.checkQueue(queue)).messageCount, 1);
  await channel.deleteExchange(first);
});

test('a consumer hears that its queue is gone', async () => {
  const queue = await declared();
  const consumer = await consumed(queue);
  const other = await connection.createChannel();
  await other.deleteQueue(queue);
  assert.equal(await consumer.next(), null);
  await other.close();
});

test('a call is answered by direct reply-to', async () => {
  const requests = await declared();
  const server = await connection.createChannel();
  await server.consume(requests, (request) => {
    const { replyTo, correlationId } = request.properties;
    server.sendToQueue(replyTo, Buffer.from(`${request.content}!`), { correlationId });
    server.ack(request);
  });
  const replies = await consumed(REPLIES, { noAck: true });
  await published('', requests, 'hello', { replyTo: REPLIES, correlationId: '7' });
  const reply = await replies.next();
  assert.equal(reply.content.toString(), 'hello!');
  assert.equal(reply.properties.correlationId, '7');
  await server.close();
});

test('a large body comes as it went', async () => {
  const queue = await declared();
  const body = Buffer.alloc(3 * 1024 * 1024 + 17, 'large ');
  await published('', queue, body);
  const message = await channel.get(queue, { noAck: true });
  assert.ok(message.content.equals(body));
});

test('an empty body comes as it went', async () => {
  const queue = await declared();
  await published('', queue, '');
  assert.equal((await channel.get(queue, { noAck: true })).content.length, 0);
});

test('a missing queue closes the channel, not the connection', async () => {
  const error = await failure(() => channel.checkQueue('missing'));
  assert.equal(error.code, 404);
  assert.match(error.message, /no queue 'missing' in vhost '\/'/);
  const next = await connection.createChannel();
  await next.close();
});

test('a redeclared queue must be what it was', async () => {
  const queue = name();
  await channel.assertQueue(queue, { exclusive: true });
  const error = await failure(() => channel.assertQueue(queue, { exclusive: true, maxLength: 5 }));
  assert.equal(error.code, 406);
  assert.match(error.message, /inequivalent arg 'x-max-length'/);
});

test('an unknown delivery tag closes the channel', async () => {
  const error = await failure(async () => channel.ack({ fields: { deliveryTag: 99 } }));
  assert.equal(error.code, 406);
  assert.match(error.message, /unknown delivery tag 99/);
});

test('a wrong password is refused', async () => {
  const url = new globalThis.URL(URL);
  url.password = 'wrong';
  await assert.rejects(amqp.connect(url.href), /403|ACCESS[-_]REFUSED/);
});

test('an exclusive queue ends with its connection, and its name is free', async () => {
  const queue = name();
  for (let i = 0; i < 2; i++) {
    const other = await amqp.connect(URL);
    const otherChannel = await other.createChannel();
    await otherChannel.assertQueue(queue, { exclusive: true });
    await other.close();
  }
});
