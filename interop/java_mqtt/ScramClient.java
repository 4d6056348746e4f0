// Enhanced authentication by HiveMQ's client of MQTT 5.0, with SCRAM-SHA-256 by the Java platform: let in, authenticated
// again, and kept out. Arguments: host, port, user, password. Prints one line, "ok …", for each thing that went well.

import static java.nio.charset.StandardCharsets.UTF_8;

import com.hivemq.client.mqtt.MqttClient;
import com.hivemq.client.mqtt.datatypes.MqttUtf8String;
import com.hivemq.client.mqtt.mqtt5.Mqtt5BlockingClient;
import com.hivemq.client.mqtt.mqtt5.Mqtt5ClientConfig;
import com.hivemq.client.mqtt.mqtt5.auth.Mqtt5EnhancedAuthMechanism;
import com.hivemq.client.mqtt.mqtt5.exceptions.Mqtt5ConnAckException;
import com.hivemq.client.mqtt.mqtt5.message.auth.Mqtt5Auth;
import com.hivemq.client.mqtt.mqtt5.message.auth.Mqtt5AuthBuilder;
import com.hivemq.client.mqtt.mqtt5.message.auth.Mqtt5EnhancedAuthBuilder;
import com.hivemq.client.mqtt.mqtt5.message.connect.Mqtt5Connect;
import com.hivemq.client.mqtt.mqtt5.message.connect.connack.Mqtt5ConnAck;
import com.hivemq.client.mqtt.mqtt5.message.connect.connack.Mqtt5ConnAckReasonCode;
import com.hivemq.client.mqtt.mqtt5.message.disconnect.Mqtt5Disconnect;
import com.hivemq.client.mqtt.mqtt5.message.disconnect.Mqtt5DisconnectReasonCode;
import com.hivemq.client.mqtt.mqtt5.message.publish.Mqtt5Publish;
import com.hivemq.client.mqtt.MqttGlobalPublishFilter;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import javax.crypto.Mac;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import javax.crypto.spec.SecretKeySpec;

public final class ScramClient {
  static final int LIMIT_S = 20;

  static final class Scram implements Mqtt5EnhancedAuthMechanism {
    final String method;
    final String user;
    volatile String password;
    volatile Mqtt5DisconnectReasonCode rejected;
    private String bare;
    private byte[] expected;

    Scram(String method, String user, String password) {
      this.method = method;
      this.user = user;
      this.password = password;
    }

    private byte[] first() {
      bare = "n=" + user + ",r=" + UUID.randomUUID();
      return ("n,," + bare).getBytes(UTF_8);
    }

    private byte[] last(String challenge) throws Exception {
      String[] parts = challenge.split(",");
      byte[] salt = Base64.getDecoder().decode(parts[1].substring(2));
      int iterations = Integer.parseInt(parts[2].substring(2));
      PBEKeySpec spec = new PBEKeySpec(password.toCharArray(), salt, iterations, 256);
      byte[] salted = SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256").generateSecret(spec).getEncoded();
      String withoutProof = "c=biws," + parts[0];
      byte[] said = (bare + "," + challenge + "," + withoutProof).getBytes(UTF_8);
      byte[] clientKey = hmac(salted, "Client Key".getBytes(UTF_8));
      byte[] proof = hmac(MessageDigest.getInstance("SHA-256").digest(clientKey), said);
      for (int i = 0; i < proof.length; i++) proof[i] ^= clientKey[i];
      expected = hmac(hmac(salted, "Server Key".getBytes(UTF_8)), said);
      return (withoutProof + ",p=" + Base64.getEncoder().encodeToString(proof)).getBytes(UTF_8);
    }

    private static byte[] hmac(byte[] key, byte[] data) throws Exception {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return mac.doFinal(data);
    }

    private static String text(Optional<ByteBuffer> data) {
      return data.map(found -> UTF_8.decode(found).toString()).orElse("");
    }

    private boolean trusts(Optional<ByteBuffer> data) {
      String said = text(data);
      return said.startsWith("v=") && Arrays.equals(Base64.getDecoder().decode(said.substring(2)), expected);
    }

    @Override public MqttUtf8String getMethod() { return MqttUtf8String.of(method); }

    @Override public int getTimeout() { return LIMIT_S; }

    @Override public CompletableFuture<Void> onAuth(
        Mqtt5ClientConfig config, Mqtt5Connect connect, Mqtt5EnhancedAuthBuilder builder) {
      builder.data(first());
      return CompletableFuture.completedFuture(null);
    }

    @Override public CompletableFuture<Void> onReAuth(Mqtt5ClientConfig config, Mqtt5AuthBuilder builder) {
      builder.data(first());
      return CompletableFuture.completedFuture(null);
    }

    @Override public CompletableFuture<Boolean> onServerReAuth(
        Mqtt5ClientConfig config, Mqtt5Auth auth, Mqtt5AuthBuilder builder) {
      return CompletableFuture.completedFuture(false);
    }

    @Override public CompletableFuture<Boolean> onContinue(
        Mqtt5ClientConfig config, Mqtt5Auth auth, Mqtt5AuthBuilder builder) {
      try {
        builder.data(last(text(auth.getData())));
        return CompletableFuture.completedFuture(true);
      } catch (Exception error) {
        return CompletableFuture.failedFuture(error);
      }
    }

    @Override public CompletableFuture<Boolean> onAuthSuccess(Mqtt5ClientConfig config, Mqtt5ConnAck connAck) {
      return CompletableFuture.completedFuture(
          trusts(connAck.getEnhancedAuth().flatMap(found -> found.getData())));
    }

    @Override public CompletableFuture<Boolean> onReAuthSuccess(Mqtt5ClientConfig config, Mqtt5Auth auth) {
      return CompletableFuture.completedFuture(trusts(auth.getData()));
    }

    @Override public void onAuthRejected(Mqtt5ClientConfig config, Mqtt5ConnAck connAck) {}

    @Override public void onReAuthRejected(Mqtt5ClientConfig config, Mqtt5Disconnect disconnect) {
      rejected = disconnect.getReasonCode();
    }

    @Override public void onAuthError(Mqtt5ClientConfig config, Throwable cause) {}

    @Override public void onReAuthError(Mqtt5ClientConfig config, Throwable cause) {}
  }

  static void check(boolean right, String what) {
    System.out.println((right ? "ok " : "not ok ") + what);
    if (!right) System.exit(1);
  }

  static Mqtt5BlockingClient client(String[] arguments, Scram scram) {
    return MqttClient.builder().useMqttVersion5().identifier("hivemq-" + UUID.randomUUID())
        .serverHost(arguments[0]).serverPort(Integer.parseInt(arguments[1])).enhancedAuth(scram).buildBlocking();
  }

  static Mqtt5ConnAckReasonCode refused(String[] arguments, Scram scram) {
    try {
      client(arguments, scram).connect();
      return Mqtt5ConnAckReasonCode.SUCCESS;
    } catch (Mqtt5ConnAckException error) {
      return error.getMqttMessage().getReasonCode();
    }
  }

  public static void main(String[] arguments) throws Exception {
    String user = arguments[2];
    String password = arguments[3];
    Scram scram = new Scram("SCRAM-SHA-256", user, password);
    Mqtt5BlockingClient client = client(arguments, scram);
    check(client.connect().getReasonCode() == Mqtt5ConnAckReasonCode.SUCCESS, "let in by a proof, which the broker gives too");

    for (int turn = 0; turn < 3; turn++) client.toAsync().reauth().get(LIMIT_S, TimeUnit.SECONDS);
    check(client.getState().isConnected(), "authenticated again in a live session");

    String topic = "scram/" + UUID.randomUUID();
    try (Mqtt5BlockingClient.Mqtt5Publishes publishes = client.publishes(MqttGlobalPublishFilter.ALL)) {
      client.subscribeWith().topicFilter(topic).send();
      client.publishWith().topic(topic).payload("x".getBytes(UTF_8)).send();
      Optional<Mqtt5Publish> received = publishes.receive(LIMIT_S, TimeUnit.SECONDS);
      check(received.isPresent() && "x".equals(new String(received.get().getPayloadAsBytes(), UTF_8)), "goes on after that");
    }

    scram.password = password + "-wrong";
    boolean failed = false;
    try {
      client.toAsync().reauth().get(LIMIT_S, TimeUnit.SECONDS);
    } catch (java.util.concurrent.ExecutionException error) {
      failed = true;
    }
    check(failed && scram.rejected == Mqtt5DisconnectReasonCode.NOT_AUTHORIZED, "a live session ends with a wrong proof");

    Scram wrong = new Scram("SCRAM-SHA-256", user, password + "-wrong");
    check(refused(arguments, wrong) == Mqtt5ConnAckReasonCode.NOT_AUTHORIZED, "kept out with a wrong proof");
    Scram nobody = new Scram("SCRAM-SHA-256", "nobody-" + user, password);
    check(refused(arguments, nobody) == Mqtt5ConnAckReasonCode.NOT_AUTHORIZED, "kept out with a name that is not there");
    Scram other = new Scram("SCRAM-SHA-1", user, password);
    check(refused(arguments, other) == Mqtt5ConnAckReasonCode.BAD_AUTHENTICATION_METHOD, "told that a method is not served");
    System.exit(0);
  }
}
