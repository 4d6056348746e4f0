# A client of the gem stomp: subscribes, publishes three messages with receipts, prints what it receives as one line of
# JSON each, and ends with the message "end". Arguments: host, port, version, user, password, where to listen, where to
# publish.
require "base64"
require "json"
require "stomp"

host, port, version, user, password, back, there = ARGV
$stdout.sync = true
headers = version == "1.0" ? {} : { "accept-version" => version, "host" => "/", "heart-beat" => "2000,2000" }
client = Stomp::Connection.open(user, password, host, port.to_i, false, 5, headers)
raise "no CONNECTED: #{client.connection_frame}" unless client.connection_frame.command == "CONNECTED"
raise "version #{client.protocol}" unless client.protocol == version
client.subscribe(back, { "id" => "back", "ack" => version == "1.0" ? "client" : "client-individual" }, "back")
3.times do |number|
  client.publish(there, "number #{number}", { "receipt" => "r#{number}" })
  receipt = client.receive
  raise "no receipt: #{receipt}" unless receipt.command == "RECEIPT" && receipt.headers["receipt-id"] == "r#{number}"
end
loop do
  message = client.receive
  next unless message.command == "MESSAGE"
  puts JSON.generate({ "body" => Base64.strict_encode64(message.body) })
  id = version == "1.2" ? message.headers["ack"] : message.headers["message-id"]
  client.ack(id, { "subscription" => "back" })
  break if message.body == "end"
end
client.disconnect
