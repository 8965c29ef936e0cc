package qlog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/trace"
)

const sequence = `{"qlog_version":"0.3","qlog_format":"JSON-SEQ","trace":{"vantage_point":{"type":"%s"},"common_fields":{"reference_time":{"wall_clock_time":"2026-01-02T03:04:05Z"}}}}`

// events are those of two requests, of which one is answered, as their client saw them.
var events = []string{
	`{"time":0,"name":"transport:connection_started","data":{"local":{"address_v4":{"ip":"192.0.2.1","port":1234}},"remote":{"address_v4":{"ip":"192.0.2.2","port":443}}}}`,
	`{"time":1,"name":"transport:parameters_set","data":{"initiator":"local","max_idle_timeout":30000}}`,
	`{"time":20,"name":"transport:parameters_set","data":{"initiator":"remote","max_idle_timeout":5000,"initial_max_streams_bidi":100}}`,
	`{"time":20,"name":"transport:alpn_information","data":{"chosen_alpn":{"string_value":"h3"}}}`,
	`{"time":21,"name":"connectivity:connection_state_updated","data":{"new":"handshake_complete"}}`,
	`{"time":22,"name":"http3:frame_created","data":{"stream_id":0,"frame":{"frame_type":"headers","raw":{"payload_length":24},"headers":[{"name":":method","value":"GET"},{"name":":scheme","value":"https"},{"name":":authority","value":"shop.example"},{"name":":path","value":"/a"}]}}}`,
	`{"time":22,"name":"transport:packet_sent","data":{"header":{"packet_type":"1RTT","version":"1"},"frames":[{"frame_type":"stream","stream_id":0,"offset":0,"length":26,"fin":true}]}}`,
	`{"time":42,"name":"transport:packet_received","data":{"header":{"packet_type":"1RTT"},"frames":[{"frame_type":"stream","stream_id":0,"offset":0,"length":100}]}}`,
	`{"time":43,"name":"http3:frame_parsed","data":{"stream_id":0,"frame":{"frame_type":"headers","raw":{"payload_length":40},"headers":[{"name":":status","value":"200"}]}}}`,
	`{"time":45,"name":"transport:packet_received","data":{"header":{"packet_type":"1RTT"},"frames":[{"frame_type":"stream","stream_id":"0","offset":100,"length":50,"fin":true}]}}`,
	`{"time":46,"name":"transport:packet_received","data":{"header":{"packet_type":"1RTT"},"frames":[{"frame_type":"stream","stream_id":0,"offset":100,"length":50,"fin":true}]}}`,
	`{"time":50,"name":"http3:frame_created","data":{"stream_id":4,"frame":{"frame_type":"headers","raw":{"payload_length":24},"headers":[{"name":":method","value":"GET"},{"name":":path","value":"/b"}]}}}`,
	`{"time":60,"name":"transport:connection_closed","data":{"initiator":"remote","application_error":"unknown","error_code":258,"reason":"x"}}`,
}

// forms are the ways in which the same events are written.
func forms() map[string]string {
	head := fmt.Sprintf(sequence, "client")
	return map[string]string{
		"JSON-SEQ": "\x1e" + head + "\n\x1e" + strings.Join(events, "\n\x1e") + "\n",
		"lines":    head + "\n" + strings.Join(events, "\n") + "\n",
		"document": `{"qlog_version":"0.3","traces":[{"vantage_point":{"type":"client"},"common_fields":{"time_format":"relative","reference_time":1767323045000},"events":[` + strings.Join(events, ",") + `]}]}`,
	}
}

// In each form a qlog has the same connection and requests.
func TestForms(t *testing.T) {
	for name, text := range forms() {
		got, by, err := Read(strings.NewReader(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c, x := got.Connections[0], got.Exchanges
		ms := func(n int) linger.Instant { return linger.Instant(n) * linger.Instant(time.Millisecond) }
		switch {
		case by != trace.AtClient || !got.Began.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)):
			t.Errorf("%s: by the %s, from %v", name, by, got.Began)
		case c.Client != "192.0.2.1:1234" || c.Server != "192.0.2.2:443" || c.Protocol != linger.H3 || c.Requests != 2 || c.StillOpen:
			t.Errorf("%s: %+v", name, c)
		case c.Secured.Or(0) != ms(21) || c.Closed.Or(0) != ms(60) || c.ClosedBy != trace.AtServer || c.ClosedWith != trace.ConnectionClose || c.Reason != "H3_INTERNAL_ERROR":
			t.Errorf("%s: secured %v, closed %v by the %s with %s: %s", name, c.Secured, c.Closed, c.ClosedBy, c.ClosedWith, c.Reason)
		case c.IdleLimit.Or(0) != 5*time.Second || c.Streams.Or(0) != 100:
			t.Errorf("%s: idle limit %v, streams %v", name, c.IdleLimit, c.Streams)
		case x[0].URL != "https://shop.example/a" || x[0].Status != 200 || x[0].Sent.Or(0) != ms(22) || x[0].FirstByte.Or(0) != ms(42) || x[0].Done.Or(0) != ms(45):
			t.Errorf("%s: %+v", name, x[0])
		case x[1].Failed == "" || !x[1].Done.IsZero() || x[0].Known != "":
			t.Errorf("%s: %+v", name, x[1])
		}
	}
}

// Without events of HTTP/3 each stream of the client's is taken for a request, and said to be.
func TestStreamsAreInferredRequests(t *testing.T) {
	lines := []string{fmt.Sprintf(sequence, "client")}
	for _, e := range events {
		if !strings.Contains(e, "http3:") {
			lines = append(lines, e)
		}
	}
	got, _, err := Read(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil || len(got.Exchanges) != 1 {
		t.Fatalf("%v, %+v", err, got)
	}
	if x := got.Exchanges[0]; x.Known != trace.Inferred || x.RequestBody != 26 || x.ResponseBody != 150 || x.URL != "" {
		t.Errorf("%+v", x)
	}
}

// The same events by the server have the other side's ends, and what one side said the other heard.
func TestServersView(t *testing.T) {
	text := fmt.Sprintf(sequence, "server") + "\n" + events[0] + "\n" +
		`{"time":70,"name":"transport:connection_closed","data":{"initiator":"local","trigger":"idle_timeout"}}`
	got, by, err := Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if c := got.Connections[0]; by != trace.AtServer || c.Client != "192.0.2.2:443" || c.ClosedWith != trace.IdleTimeout || c.ClosedBy != trace.Nobody {
		t.Errorf("by the %s: %+v", by, c)
	}
}

// A qlog that is cut off has what was whole; what is none says so.
func TestCutAndForeign(t *testing.T) {
	text := forms()["JSON-SEQ"]
	got, _, err := Read(strings.NewReader(text[:len(text)-40]))
	if err != nil || !got.Interrupted || len(got.Exchanges) != 2 || !got.Connections[0].StillOpen {
		t.Errorf("%v, %+v", err, got)
	}
	for text, want := range map[string]string{
		`{"a":1}`:                           "no head of a qlog",
		`none`:                              "its first record cannot be read",
		fmt.Sprintf(sequence, "client"):     "has no event",
		forms()["lines"] + `{"name":"a:b"}`: "has no time",
	} {
		if _, _, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: %v, want %s", text, err, want)
		}
	}
}

// FuzzRead sees that whatever is read has bounds, and that nothing of it breaks a record.
func FuzzRead(f *testing.F) {
	for _, text := range forms() {
		f.Add([]byte(text))
	}
	f.Add([]byte(`{"qlog_version":"0.3"}{"time":1e300,"name":"a:packet_sent"}{"time":-1,"name":"a:b"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, _, err := Read(strings.NewReader(string(b)))
		if err != nil {
			return
		}
		w, err := trace.NewStreamWriter(discard{}, trace.Source{}, got.Stream())
		if err != nil {
			t.Skip() // its year has five digits
		}
		for one := range got.Records() {
			if one.Connection != nil {
				err = w.WriteConnection(one.Connection)
			} else {
				err = w.WriteExchange(one.Exchange)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
