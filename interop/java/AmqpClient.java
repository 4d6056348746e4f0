import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.AlreadyClosedException;
import com.rabbitmq.client.AuthenticationFailureException;
import com.rabbitmq.client.CancelCallback;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.Method;
import com.rabbitmq.client.Return;
import com.rabbitmq.client.RpcClient;
import com.rabbitmq.client.RpcClientParams;
import com.rabbitmq.client.ShutdownSignalException;
import com.rabbitmq.client.impl.recovery.AutorecoveringConnection;
import java.io.IOException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** RabbitMQ's Java client as applications use it, against the broker at AMQP_URL. Prints one line for each test. */
public final class AmqpClient {
    private static final long PATIENCE_MS = 5_000;
    private static final byte[] BODY = {'x'};

    private interface Test {
        void run(Channel channel) throws Exception;
    }

    private final Map<String, Test> tests = new LinkedHashMap<>();
    private final ConnectionFactory factory = new ConnectionFactory();
    private Connection connection;
    private int number;

    public static void main(String[] arguments) throws Exception {
        System.exit(new AmqpClient().run() ? 0 : 1);
    }

    private AmqpClient() throws Exception {
        factory.setUri(System.getenv("AMQP_URL"));
        factory.setAutomaticRecoveryEnabled(true);
        factory.setNetworkRecoveryInterval(50);
        tests.put("a queue is declared, purged and deleted", this::queueIsDeclaredPurgedAndDeleted);
        tests.put("properties come as they went", this::propertiesComeAsTheyWent);
        tests.put("deliveries are settled", this::deliveriesAreSettled);
        tests.put("prefetch holds back", this::prefetchHoldsBack);
        tests.put("an unroutable mandatory message is returned", this::unroutableMessageIsReturned);
        tests.put("a transaction commits and rolls back", this::transactionCommitsAndRollsBack);
        tests.put("dead letters tell their story", this::deadLettersTellTheirStory);
        tests.put("messages expire by themselves", this::messagesExpireByThemselves);
        tests.put("higher priorities come first", this::higherPrioritiesComeFirst);
        tests.put("a full queue refuses", this::fullQueueRefuses);
        tests.put("a headers exchange routes by headers", this::headersExchangeRoutes);
        tests.put("exchanges are bound to each other", this::exchangesAreBound);
        tests.put("a consumer hears that its queue is gone", this::consumerIsCancelled);
        tests.put("a call is answered by direct reply-to", this::callIsAnswered);
        tests.put("a large body comes as it went", this::largeBodyComesAsItWent);
        tests.put("a missing queue closes the channel only", this::missingQueueClosesTheChannel);
        tests.put("an unknown delivery tag closes the channel", this::unknownTagClosesTheChannel);
        tests.put("a wrong password is refused", this::wrongPasswordIsRefused);
        tests.put("a broken connection recovers with what was declared", this::brokenConnectionRecovers);
    }

    private boolean run() throws Exception {
        boolean good = true;
        connection = factory.newConnection("java");
        for (Map.Entry<String, Test> test : tests.entrySet()) {
            Channel channel = connection.createChannel();
            try {
                channel.confirmSelect();
                test.getValue().run(channel);
                System.out.println("ok " + test.getKey());
            } catch (Exception | AssertionError failure) {
                good = false;
                System.out.println("not ok " + test.getKey());
                failure.printStackTrace(System.out);
            } finally {
                if (channel.isOpen()) {
                    channel.close();
                }
            }
        }
        connection.close();
        return good;
    }

    private static void equal(Object got, Object wanted) {
        if (!Objects.equals(got, wanted)) {
            throw new AssertionError("got " + got + ", wanted " + wanted);
        }
    }

    private String name() {
        return "java-" + ProcessHandle.current().pid() + "-" + ++number;
    }

    private static String queue(Channel channel, Map<String, Object> arguments) throws IOException {
        return channel.queueDeclare("", false, true, false, arguments).getQueue();
    }

    private static void publish(Channel channel, String queue, String body) throws Exception {
        publish(channel, queue, body, null);
    }

    private static void publish(Channel channel, String queue, String body, BasicProperties properties)
            throws Exception {
        channel.basicPublish("", queue, properties, body.getBytes());
        equal(channel.waitForConfirms(PATIENCE_MS), true);
    }

    private static BlockingQueue<Delivery> consume(Channel channel, String queue, boolean autoAck) throws IOException {
        BlockingQueue<Delivery> arrived = new LinkedBlockingQueue<>();
        channel.basicConsume(queue, autoAck, (tag, delivery) -> arrived.add(delivery), tag -> {});
        return arrived;
    }

    private static <T> T next(BlockingQueue<T> arrived) throws InterruptedException {
        T value = arrived.poll(PATIENCE_MS, TimeUnit.MILLISECONDS);
        if (value == null) {
            throw new AssertionError("nothing came");
        }
        return value;
    }

    private static long tag(Delivery delivery) {
        return delivery.getEnvelope().getDeliveryTag();
    }

    private static String body(Delivery delivery) {
        return new String(delivery.getBody());
    }

    private static Map<?, ?> death(Delivery delivery) {
        return (Map<?, ?>) ((List<?>) delivery.getProperties().getHeaders().get("x-death")).get(0);
    }

    private static String text(Object value) {
        return value == null ? null : value.toString();
    }

    private void queueIsDeclaredPurgedAndDeleted(Channel channel) throws Exception {
        String queue = queue(channel, null);
        publish(channel, queue, "x");
        equal(channel.messageCount(queue), 1L);
        equal(channel.queuePurge(queue).getMessageCount(), 1);
        equal(channel.queueDelete(queue).getMessageCount(), 0);
    }

    private void propertiesComeAsTheyWent(Channel channel) throws Exception {
        String queue = queue(channel, null);
        Map<String, Object> headers = new LinkedHashMap<>();
        headers.put("int", 5);
        headers.put("long", 1L << 40);
        headers.put("short", (short) -3);
        headers.put("byte", (byte) -7);
        headers.put("float", 0.5f);
        headers.put("double", 0.25);
        headers.put("bool", true);
        headers.put("void", null);
        headers.put("date", new java.util.Date(1_700_000_000_000L));
        headers.put("decimal", new java.math.BigDecimal("1.99"));
        BasicProperties sent = new BasicProperties.Builder()
                .contentType("text/plain").contentEncoding("utf-8").deliveryMode(2).priority(3).correlationId("c")
                .replyTo("r").expiration("60000").messageId("m").timestamp(new java.util.Date(1_700_000_000_000L))
                .type("t").appId("a").userId(factory.getUsername()).headers(headers).build();
        publish(channel, queue, "x", sent);
        GetResponse got = channel.basicGet(queue, true);
        equal(got.getProps().getHeaders(), headers);
        equal(got.getProps(), sent);
        equal(got.getMessageCount(), 0);
    }

    private void deliveriesAreSettled(Channel channel) throws Exception {
        String queue = queue(channel, null);
        for (int i = 0; i < 4; i++) {
            publish(channel, queue, "" + i);
        }
        BlockingQueue<Delivery> arrived = consume(channel, queue, false);
        next(arrived);
        long second = tag(next(arrived));
        long third = tag(next(arrived));
        long fourth = tag(next(arrived));
        channel.basicAck(second, true);
        channel.basicReject(third, false);
        channel.basicNack(fourth, false, true);
        Delivery again = next(arrived);
        equal(body(again), "3");
        equal(again.getEnvelope().isRedeliver(), true);
        channel.basicRecover(true);
        channel.basicAck(tag(next(arrived)), false);
        equal(channel.messageCount(queue), 0L);
    }

    private void prefetchHoldsBack(Channel channel) throws Exception {
        String queue = queue(channel, null);
        for (int i = 0; i < 3; i++) {
            publish(channel, queue, "" + i);
        }
        channel.basicQos(2);
        BlockingQueue<Delivery> arrived = consume(channel, queue, false);
        long first = tag(next(arrived));
        next(arrived);
        equal(channel.messageCount(queue), 1L);
        channel.basicAck(first, false);
        equal(body(next(arrived)), "2");
    }

    private void unroutableMessageIsReturned(Channel channel) throws Exception {
        BlockingQueue<Return> returned = new LinkedBlockingQueue<>();
        channel.addReturnListener(returned::add);
        channel.basicPublish("amq.direct", name(), true, null, BODY);
        channel.waitForConfirmsOrDie(PATIENCE_MS);
        equal(returned.size(), 1); // the return is there before the confirm
        equal(returned.peek().getReplyCode(), 312);
    }

    private void transactionCommitsAndRollsBack(Channel confirming) throws Exception {
        String queue = queue(confirming, null);
        Channel channel = connection.createChannel();
        channel.txSelect();
        channel.basicPublish("", queue, null, BODY);
        channel.txRollback();
        equal(confirming.messageCount(queue), 0L);
        channel.basicPublish("", queue, null, BODY);
        channel.txCommit();
        equal(confirming.messageCount(queue), 1L);
        channel.close();
    }

    private void deadLettersTellTheirStory(Channel channel) throws Exception {
        String dead = queue(channel, null);
        String queue = queue(channel, Map.of("x-dead-letter-exchange", "", "x-dead-letter-routing-key", dead));
        publish(channel, queue, "bad");
        channel.basicReject(channel.basicGet(queue, false).getEnvelope().getDeliveryTag(), false);
        Delivery letter = next(consume(channel, dead, true));
        equal(text(death(letter).get("reason")), "rejected");
        equal(text(death(letter).get("queue")), queue);
        equal(death(letter).get("count"), 1L);
        equal(text(letter.getProperties().getHeaders().get("x-first-death-queue")), queue);
    }

    private void messagesExpireByThemselves(Channel channel) throws Exception {
        String dead = queue(channel, null);
        String queue = queue(channel, Map.of("x-dead-letter-exchange", "", "x-dead-letter-routing-key", dead));
        BlockingQueue<Delivery> letters = consume(channel, dead, true);
        publish(channel, queue, "x", new BasicProperties.Builder().expiration("20").build());
        equal(text(death(next(letters)).get("original-expiration")), "20");
        String short_lived = queue(
                channel, Map.of("x-dead-letter-exchange", "", "x-dead-letter-routing-key", dead, "x-message-ttl", 20));
        publish(channel, short_lived, "x");
        equal(text(death(next(letters)).get("reason")), "expired");
    }

    private void higherPrioritiesComeFirst(Channel channel) throws Exception {
        String queue = queue(channel, Map.of("x-max-priority", 5));
        for (int priority : new int[] {1, 5, 3}) {
            publish(channel, queue, "" + priority, new BasicProperties.Builder().priority(priority).build());
        }
        for (String wanted : new String[] {"5", "3", "1"}) {
            equal(new String(channel.basicGet(queue, true).getBody()), wanted);
        }
    }

    private void fullQueueRefuses(Channel channel) throws Exception {
        String queue = queue(channel, Map.of("x-max-length", 1, "x-overflow", "reject-publish"));
        publish(channel, queue, "first");
        channel.basicPublish("", queue, null, BODY);
        equal(channel.waitForConfirms(PATIENCE_MS), false);
    }

    private void headersExchangeRoutes(Channel channel) throws Exception {
        String key = name();
        String all = queue(channel, null);
        String any = queue(channel, null);
        channel.queueBind(all, "amq.headers", "", Map.of("x-match", "all", key, 1, "other", "a"));
        channel.queueBind(any, "amq.headers", "", Map.of("x-match", "any", key, 1, "other", "a"));
        channel.basicPublish("amq.headers", "", new BasicProperties.Builder().headers(Map.of(key, 1)).build(), BODY);
        channel.waitForConfirmsOrDie(PATIENCE_MS);
        equal(channel.messageCount(all), 0L);
        equal(channel.messageCount(any), 1L);
    }

    private void exchangesAreBound(Channel channel) throws Exception {
        String source = name();
        String destination = name();
        String queue = queue(channel, null);
        channel.exchangeDeclare(source, "topic", false, true, null);
        channel.exchangeDeclare(destination, "fanout", false, true, null);
        channel.exchangeBind(destination, source, "a.#");
        channel.queueBind(queue, destination, "");
        channel.basicPublish(source, "a.b", null, BODY);
        channel.waitForConfirmsOrDie(PATIENCE_MS);
        equal(channel.messageCount(queue), 1L);
        channel.exchangeUnbind(destination, source, "a.#");
    }

    private void consumerIsCancelled(Channel channel) throws Exception {
        String queue = queue(channel, null);
        BlockingQueue<String> cancelled = new LinkedBlockingQueue<>();
        CancelCallback cancel = cancelled::add;
        String tag = channel.basicConsume(queue, (consumer, delivery) -> {}, cancel);
        Channel other = connection.createChannel();
        other.queueDelete(queue);
        equal(next(cancelled), tag);
        other.close();
    }

    private void callIsAnswered(Channel channel) throws Exception {
        String requests = queue(channel, null);
        Channel server = connection.createChannel();
        server.basicConsume(requests, true, (tag, request) -> {
            BasicProperties asked = request.getProperties();
            BasicProperties answer = new BasicProperties.Builder().correlationId(asked.getCorrelationId()).build();
            server.basicPublish("", asked.getReplyTo(), answer, (body(request) + "!").getBytes());
        }, tag -> {});
        RpcClient client = new RpcClient(new RpcClientParams()
                .channel(channel).exchange("").routingKey(requests).timeout((int) PATIENCE_MS));
        equal(client.stringCall("hello"), "hello!");
        equal(client.stringCall("again"), "again!");
        client.close();
        server.close();
    }

    private void largeBodyComesAsItWent(Channel channel) throws Exception {
        String queue = queue(channel, null);
        byte[] large = new byte[3 * 1024 * 1024 + 17];
        Arrays.fill(large, (byte) 7);
        channel.basicPublish("", queue, null, large);
        channel.waitForConfirmsOrDie(PATIENCE_MS);
        equal(Arrays.equals(channel.basicGet(queue, true).getBody(), large), true);
    }

    private static Method reason(ShutdownSignalException closed) {
        equal(closed.isHardError(), false);
        return (Method) closed.getReason();
    }

    private void missingQueueClosesTheChannel(Channel channel) throws Exception {
        try {
            channel.queueDeclarePassive("missing");
            throw new AssertionError("it is there");
        } catch (IOException failure) {
            var close = (com.rabbitmq.client.AMQP.Channel.Close) reason((ShutdownSignalException) failure.getCause());
            equal(close.getReplyCode(), 404);
            equal(close.getReplyText(), "NOT_FOUND - no queue 'missing' in vhost '/'");
        }
        equal(connection.isOpen(), true);
    }

    private void unknownTagClosesTheChannel(Channel channel) throws Exception {
        BlockingQueue<ShutdownSignalException> closed = new LinkedBlockingQueue<>();
        channel.addShutdownListener(closed::add);
        channel.basicAck(99, false);
        var close = (com.rabbitmq.client.AMQP.Channel.Close) reason(next(closed));
        equal(close.getReplyCode(), 406);
        equal(close.getReplyText(), "PRECONDITION_FAILED - unknown delivery tag 99");
        try {
            channel.basicQos(1);
            throw new AssertionError("the channel is open");
        } catch (AlreadyClosedException expected) {
            equal(connection.isOpen(), true);
        }
    }

    private void wrongPasswordIsRefused(Channel channel) throws Exception {
        ConnectionFactory wrong = factory.clone();
        wrong.setPassword("wrong");
        try {
            wrong.newConnection().close();
            throw new AssertionError("it was let in");
        } catch (AuthenticationFailureException refused) {
            equal(refused.getMessage().startsWith("ACCESS_REFUSED"), true);
        }
    }

    /** The broker closes the connection; the client connects again and declares its queue, binding and consumer anew. */
    private void brokenConnectionRecovers(Channel channel) throws Exception {
        Connection breaking = factory.newConnection();
        Channel mine = breaking.createChannel();
        String queue = name();
        mine.queueDeclare(queue, false, true, true, null);
        mine.queueBind(queue, "amq.fanout", "");
        BlockingQueue<Delivery> arrived = consume(mine, queue, true);
        BlockingQueue<Boolean> recovered = new LinkedBlockingQueue<>();
        AutorecoveringConnection recovering = (AutorecoveringConnection) breaking;
        recovering.addRecoveryListener(new com.rabbitmq.client.RecoveryListener() {
            @Override
            public void handleRecovery(com.rabbitmq.client.Recoverable connection) {
                recovered.add(true);
            }

            @Override
            public void handleRecoveryStarted(com.rabbitmq.client.Recoverable connection) {}
        });
        // No broker has immediate messages any more: this one makes it close the connection.
        mine.basicPublish("", queue, false, true, null, BODY);
        next(recovered);
        mine.basicPublish("amq.fanout", "", null, "back".getBytes());
        equal(body(next(arrived)), "back");
        breaking.close();
    }
}
