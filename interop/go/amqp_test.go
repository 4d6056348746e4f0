// Package interop drives the broker at AMQP_URL with amqp091-go, as applications use it.
package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	patience = 5 * time.Second
	replies  = "amq.rabbitmq.reply-to"
)

var number int

// client is one connection with one channel in confirm mode.
type client struct {
	*testing.T
	connection *amqp.Connection
	channel    *amqp.Channel
}

func connected(t *testing.T) client {
	t.Helper()
	connection, err := amqp.Dial(os.Getenv("AMQP_URL"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	c := client{T: t, connection: connection}
	c.channel = c.open()
	c.must(c.channel.Confirm(false))
	return c
}

func name() string {
	number++
	return fmt.Sprintf("go-%d-%d", os.Getpid(), number)
}

func (c client) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func (c client) open() *amqp.Channel {
	c.Helper()
	channel, err := c.connection.Channel()
	c.must(err)
	return channel
}

func (c client) queue(arguments amqp.Table) string {
	c.Helper()
	queue, err := c.channel.QueueDeclare("", false, false, true, false, arguments)
	c.must(err)
	return queue.Name
}

// publish waits for the confirm and returns whether the broker took the message.
func (c client) publish(exchange, key string, message amqp.Publishing) bool {
	c.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	confirm, err := c.channel.PublishWithDeferredConfirmWithContext(ctx, exchange, key, false, false, message)
	c.must(err)
	taken, err := confirm.WaitContext(ctx)
	c.must(err)
	return taken
}

func (c client) send(queue, body string) {
	c.Helper()
	if !c.publish("", queue, amqp.Publishing{Body: []byte(body)}) {
		c.Fatal("refused")
	}
}

func (c client) ready(queue string) int {
	c.Helper()
	found, err := c.channel.QueueDeclarePassive(queue, false, false, true, false, nil)
	c.must(err)
	return found.Messages
}

func (c client) get(queue string) amqp.Delivery {
	c.Helper()
	message, ok, err := c.channel.Get(queue, false)
	c.must(err)
	if !ok {
		c.Fatal("the queue is empty")
	}
	return message
}

func (c client) consume(queue string, noAck bool) <-chan amqp.Delivery {
	c.Helper()
	deliveries, err := c.channel.Consume(queue, "", noAck, false, false, false, nil)
	c.must(err)
	return deliveries
}

func next[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func (c client) closedWith(code int, text string, action func(*amqp.Channel) error) {
	c.Helper()
	channel := c.open()
	closed := channel.NotifyClose(make(chan *amqp.Error, 1))
	_ = action(channel)
	err := next(c.T, closed)
	equal(c.T, err.Code, code)
	if !strings.Contains(err.Reason, text) {
		c.Fatalf("%q is not in %q", text, err.Reason)
	}
	c.must(c.open().Close())
}

func TestQueueIsDeclaredPurgedAndDeleted(t *testing.T) {
	c := connected(t)
	queue := c.queue(nil)
	c.send(queue, "x")
	equal(t, c.ready(queue), 1)
	count, err := c.channel.QueuePurge(queue, false)
	c.must(err)
	equal(t, count, 1)
	_, err = c.channel.QueueDelete(queue, false, false, false)
	c.must(err)
}

func TestPropertiesAndHeadersComeAsTheyWent(t *testing.T) {
	c := connected(t)
	queue := c.queue(nil)
	sent := amqp.Publishing{
		ContentType: "text/plain", ContentEncoding: "utf-8", DeliveryMode: amqp.Persistent, Priority: 3,
		CorrelationId: "c", ReplyTo: "r", Expiration: "60000", MessageId: "m", Timestamp: time.Unix(1700000000, 0),
		Type: "t", UserId: "guest", AppId: "a", Body: []byte("höllo"),
		Headers: amqp.Table{
			"bool": true, "byte": byte(200), "int8": int8(-8), "int16": int16(-16), "int32": int32(-32),
			"int64": int64(1) << 40, "float": float32(0.5), "double": 0.25, "decimal": amqp.Decimal{Scale: 2, Value: 199},
			"text": "ü", "bytes": []byte{0, 255}, "time": time.Unix(1700000000, 0), "void": nil,
			"list": []interface{}{int32(1), "two"}, "table": amqp.Table{"deep": "er"},
		},
	}
	if address, _ := url.Parse(os.Getenv("AMQP_URL")); address.User.Username() != "guest" {
		sent.UserId = address.User.Username()
	}
	if !c.publish("", queue, sent) {
		t.Fatal("refused")
	}
	got := c.get(queue)
	for _, pair := range [][2]any{
		{got.ContentType, sent.ContentType}, {got.ContentEncoding, sent.ContentEncoding}, {got.DeliveryMode, sent.DeliveryMode},
		{got.Priority, sent.Priority}, {got.CorrelationId, sent.CorrelationId}, {got.ReplyTo, sent.ReplyTo},
		{got.Expiration, sent.Expiration}, {got.MessageId, sent.MessageId}, {got.Timestamp.Unix(), sent.Timestamp.Unix()},
		{got.Type, sent.Type}, {got.UserId, sent.UserId}, {got.AppId, sent.AppId}, {string(got.Body), string(sent.Body)},
	} {
		equal(t, pair[0], pair[1])
	}
	for key, want := range sent.Headers {
		equal(t, fmt.Sprintf("%s %v", key, got.Headers[key]), fmt.Sprintf("%s %v", key, want))
	}
}

func TestDeliveriesAreSettled(t *testing.T) {
	c := connected(t)
	queue := c.queue(nil)
	for i := range 4 {
		c.send(queue, fmt.Sprint(i))
	}
	deliveries := c.consume(queue, false)
	first, second, third := next(t, deliveries), next(t, deliveries), next(t, deliveries)
	equal(t, string(third.Body), "2")
	c.must(second.Ack(true))
	if err := first.Ack(false); err != nil {
		t.Fatal(err)
	}
}

func TestRefusedDeliveriesComeAgain(t *testing.T) {
	c := connected(t)
	queue := c.queue(nil)
	c.send(queue, "x")
	deliveries := c.consume(queue, false)
	c.must(next(t, deliveries).Nack(false, true))
	c.must(next(t, deliveries).Reject(true))
	third := next(t, deliveries)
	equal(t, third.Redelivered, true)
	c.must(third.Reject(false))
	equal(t, c.ready(queue), 0)
}

func TestPrefetchHoldsBack(t *testing.T) {
	c := connected(t)
	queue := c.queue(nil)
	for i := range 3 {
		c.send(queue, fmt.Sprint(i))
	}
	c.must(c.channel.Qos(2, 0, true))
	deliveries := c.consume(queue, false)
	first := next(t, deliveries)
	next(t, deliveries)
	equal(t, c.ready(queue), 1)
	c.must(first.Ack(false))
	equal(t, string(next(t, deliveries).Body), "2")
}

func TestManyConfirmsComeEachOnce(t *testing.T) {
	c := connected(t)
	queue := c.queue(nil)
	confirms := c.channel.NotifyPublish(make(chan amqp.Confirmation, 300))
	for i := range 300 {
		c.must(c.channel.PublishWithContext(context.Background(), "", queue, false, false, amqp.Publishing{Body: []byte(fmt.Sprint(i))}))
	}
	for i := range 300 {
		confirm := next(t, confirms)
		equal(t, confirm.DeliveryTag, uint64(i+1))
		equal(t, confirm.Ack, true)
	}
}

func TestUnroutableMandatoryMessageIsReturned(t *testing.T) {
	c := connected(t)
	returns := c.channel.NotifyReturn(make(chan amqp.Return, 1))
	c.must(c.channel.PublishWithContext(context.Background(), "amq.direct", name(), true, false, amqp.Publishing{Body: []byte("back")}))
	returned := next(t, returns)
	equal(t, returned.ReplyCode, uint16(amqp.NoRoute))
	equal(t, returned.ReplyText, "NO_ROUTE")
	equal(t, string(returned.Body), "back")
}

func TestTransactionsCommitAndRollBack(t *testing.T) {
	c := connected(t)
	queue := c.queue(nil)
	channel := c.open()
	c.must(channel.Tx())
	publish := func() {
		c.must(channel.PublishWithContext(context.Background(), "", queue, false, false, amqp.Publishing{Body: []byte("x")}))
	}
	publish()
	c.must(channel.TxRollback())
	equal(t, c.ready(queue), 0)
	publish()
	c.must(channel.TxCommit())
	equal(t, c.ready(queue), 1)
}

func TestDeadLettersTellTheirStory(t *testing.T) {
	c := connected(t)
	dead := c.queue(nil)
	queue := c.queue(amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead, "x-message-ttl": 20})
	deliveries := c.consume(dead, true)
	c.send(queue, "late")
	death := next(t, deliveries).Headers["x-death"].([]interface{})[0].(amqp.Table)
	equal(t, death["reason"].(string), "expired")
	equal(t, death["queue"].(string), queue)
	equal(t, death["count"].(int64), int64(1))
	rejecting := c.queue(amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
	c.send(rejecting, "bad")
	c.must(c.get(rejecting).Reject(false))
	equal(t, next(t, deliveries).Headers["x-first-death-reason"].(string), "rejected")
}

func TestMessagesExpireByThemselves(t *testing.T) {
	c := connected(t)
	dead := c.queue(nil)
	queue := c.queue(amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
	deliveries := c.consume(dead, true)
	if !c.publish("", queue, amqp.Publishing{Expiration: "20", Body: []byte("x")}) {
		t.Fatal("refused")
	}
	message := next(t, deliveries)
	equal(t, message.Expiration, "")
	death := message.Headers["x-death"].([]interface{})[0].(amqp.Table)
	equal(t, death["original-expiration"].(string), "20")
}

func TestHigherPrioritiesComeFirst(t *testing.T) {
	c := connected(t)
	queue := c.queue(amqp.Table{"x-max-priority": 5})
	for _, priority := range []uint8{1, 5, 3} {
		c.publish("", queue, amqp.Publishing{Priority: priority, Body: []byte{'0' + priority}})
	}
	for _, want := range []string{"5", "3", "1"} {
		message := c.get(queue)
		equal(t, string(message.Body), want)
		c.must(message.Ack(false))
	}
}

func TestFullQueueRefuses(t *testing.T) {
	c := connected(t)
	queue := c.queue(amqp.Table{"x-max-length": 1, "x-overflow": "reject-publish"})
	c.send(queue, "first")
	equal(t, c.publish("", queue, amqp.Publishing{Body: []byte("second")}), false)
}

func TestHeadersExchangeRoutesByHeaders(t *testing.T) {
	c := connected(t)
	key := name()
	all, some := c.queue(nil), c.queue(nil)
	c.must(c.channel.QueueBind(all, "", "amq.headers", false, amqp.Table{"x-match": "all", key: int32(1), "other": "a"}))
	c.must(c.channel.QueueBind(some, "", "amq.headers", false, amqp.Table{"x-match": "any", key: int32(1), "other": "a"}))
	c.publish("amq.headers", "", amqp.Publishing{Headers: amqp.Table{key: int32(1)}})
	equal(t, c.ready(all), 0)
	equal(t, c.ready(some), 1)
}

func TestConsumerHearsThatItsQueueIsGone(t *testing.T) {
	c := connected(t)
	queue := c.queue(nil)
	cancelled := c.channel.NotifyCancel(make(chan string, 1))
	_, err := c.channel.Consume(queue, "tag", false, false, false, false, nil)
	c.must(err)
	_, err = c.open().QueueDelete(queue, false, false, false)
	c.must(err)
	equal(t, next(t, cancelled), "tag")
}

func TestCallIsAnsweredByDirectReplyTo(t *testing.T) {
	c := connected(t)
	requests := c.queue(nil)
	served := c.consume(requests, true)
	answers := c.consume(replies, true)
	c.publish("", requests, amqp.Publishing{ReplyTo: replies, CorrelationId: "7", Body: []byte("hello")})
	request := next(t, served)
	c.publish("", request.ReplyTo, amqp.Publishing{CorrelationId: request.CorrelationId, Body: append(request.Body, '!')})
	answer := next(t, answers)
	equal(t, string(answer.Body), "hello!")
	equal(t, answer.CorrelationId, "7")
}

func TestLargeBodyComesAsItWent(t *testing.T) {
	c := connected(t)
	queue := c.queue(nil)
	body := bytes.Repeat([]byte("large "), 500_003)
	c.publish("", queue, amqp.Publishing{Body: body})
	if got := c.get(queue); !bytes.Equal(got.Body, body) {
		t.Fatalf("%d of %d bytes", len(got.Body), len(body))
	}
}

func TestMistakesCloseTheChannelOnly(t *testing.T) {
	c := connected(t)
	queue := name()
	_, err := c.channel.QueueDeclare(queue, false, false, true, false, nil)
	c.must(err)
	c.closedWith(amqp.NotFound, "no queue 'missing' in vhost '/'", func(channel *amqp.Channel) error {
		_, err := channel.QueueDeclarePassive("missing", false, false, false, false, nil)
		return err
	})
	c.closedWith(amqp.PreconditionFailed, "inequivalent arg 'auto_delete'", func(channel *amqp.Channel) error {
		_, err := channel.QueueDeclare(queue, false, true, true, false, nil)
		return err
	})
	c.closedWith(amqp.PreconditionFailed, "unknown delivery tag 9", func(channel *amqp.Channel) error {
		return channel.Ack(9, false)
	})
}

func TestWrongPasswordIsRefused(t *testing.T) {
	address, err := url.Parse(os.Getenv("AMQP_URL"))
	if err != nil {
		t.Fatal(err)
	}
	address.User = url.UserPassword(address.User.Username(), "wrong")
	_, err = amqp.Dial(address.String())
	var refused *amqp.Error
	if !errors.As(err, &refused) || refused.Code != amqp.AccessRefused {
		t.Fatalf("got %v", err)
	}
}
