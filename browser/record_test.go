package browser

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"linger"
	"linger/trace"
)

func scenario(t testing.TB) linger.Scenario {
	t.Helper()
	w, err := linger.ParseList("list", strings.NewReader("/ 1000 -\n/a.png 500 / at=200\n/b.png 500 / at=300\n"))
	if err != nil {
		t.Fatal(err)
	}
	if w, err = w.WithScheme("https"); err != nil {
		t.Fatal(err)
	}
	s, err := linger.ParseStrategy("h2")
	if err != nil {
		t.Fatal(err)
	}
	return linger.Scenario{Workload: w, Strategy: s}
}

// said is what a browser says of a page with two images, of which one fails.
const said = `
{"method":"Network.requestWillBeSent","params":{"requestId":"1","timestamp":50.001,"wallTime":1000.001,"request":{"url":"https://origin/","method":"GET"}}}
{"method":"Network.responseReceived","params":{"requestId":"1","response":{"status":200,"mimeType":"text/html","connectionId":17,"protocol":"h2","remoteIPAddress":"10.0.2.1","remotePort":443,"timing":{"requestTime":50.001,"connectStart":1,"sslStart":71,"connectEnd":141,"sendStart":142,"receiveHeadersStart":213,"receiveHeadersEnd":214}}}}
{"method":"Network.dataReceived","params":{"requestId":"1","dataLength":600}}
{"method":"Network.dataReceived","params":{"requestId":"1","dataLength":400}}
{"method":"Network.requestWillBeSent","params":{"requestId":"2","timestamp":50.215,"wallTime":1000.215,"request":{"url":"https://origin/a.png","method":"GET"}}}
{"method":"Network.requestWillBeSent","params":{"requestId":"d","timestamp":50.215,"wallTime":1000.215,"request":{"url":"data:,","method":"GET"}}}
{"method":"Network.requestWillBeSent","params":{"requestId":"3","timestamp":50.216,"wallTime":1000.216,"request":{"url":"https://origin/other","method":"GET"}}}
{"method":"Network.loadingFinished","params":{"requestId":"1","timestamp":50.220}}
{"method":"Network.responseReceived","params":{"requestId":"2","response":{"status":200,"mimeType":"image/png","connectionId":17,"connectionReused":true,"protocol":"h2","timing":{"requestTime":50.215,"connectStart":-1,"sslStart":-1,"connectEnd":-1,"sendStart":1,"receiveHeadersEnd":71}}}}
{"method":"Network.dataReceived","params":{"requestId":"2","dataLength":500}}
{"method":"Network.loadingFinished","params":{"requestId":"2","timestamp":50.290}}
{"method":"Network.requestWillBeSent","params":{"requestId":"4","timestamp":50.217,"wallTime":1000.217,"request":{"url":"https://origin/moved","method":"GET"}}}
{"method":"Network.requestWillBeSent","params":{"requestId":"4","timestamp":50.218,"wallTime":1000.218,"redirectResponse":{"status":307},"request":{"url":"https://origin/there","method":"GET"}}}
{"method":"Network.loadingFailed","params":{"requestId":"4","timestamp":50.219,"errorText":"net::ERR_NAME_NOT_RESOLVED"}}
{"method":"Network.loadingFailed","params":{"requestId":"3","timestamp":50.300,"errorText":"net::ERR_FAILED"}}
{"method":"Page.loadEventFired","params":{"timestamp":50.301}}
`

func TestRecord(t *testing.T) {
	r := newRecord(scenario(t), []Place{{Host: "origin"}})
	r.trace.Began = time.UnixMicro(1000_000_000)
	for line := range strings.SplitSeq(strings.TrimSpace(said), "\n") {
		var m message
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		if err := r.take(m); err != nil {
			t.Fatal(err)
		}
	}
	if r.done() || r.pending != 0 {
		t.Errorf("done: %v, under way: %d; an image was not asked for", r.done(), r.pending)
	}
	tr := r.finish()
	if len(tr.Connections) != 1 || len(tr.Exchanges) != 6 || ms(tr.Ended) != 300 {
		t.Fatalf("%+v", tr)
	}
	k := tr.Connections[0]
	if k.Protocol != "h2" || k.Requests != 2 || k.Server != "10.0.2.1:443" || ms(k.Dialled) != 2 || ms(k.Established.Or(0)) != 72 || ms(k.Connected.Or(0)) != 142 || k.ClosedBy != trace.Nobody {
		t.Errorf("%+v", k)
	}
	for i, want := range []struct {
		body   int64
		done   int64
		failed string
	}{{1000, 220, ""}, {500, 290, ""}, {0, 0, "the browser did not ask for it"}, {0, 0, "net::ERR_FAILED"},
		{0, 0, "the browser asks for https://origin/there instead"}, {0, 0, "net::ERR_NAME_NOT_RESOLVED"}} {
		x := tr.Exchanges[i]
		if x.ResponseBody != want.body || ms(x.Done.Or(0)) != want.done || x.Failed != want.failed {
			t.Errorf("%+v", x)
		}
	}
	if x := tr.Exchanges[0]; ms(x.Queued) != 1 || ms(x.Sent.Or(0)) != 143 || ms(x.FirstByte.Or(0)) != 214 {
		t.Errorf("%+v", x)
	}
}

// ms rounds an instant to milliseconds.
func ms(t linger.Instant) int64 { return int64(t.Milliseconds() + 0.5) }

func FuzzRecord(f *testing.F) {
	f.Add([]byte(said))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := newRecord(scenario(t), []Place{{Host: "origin"}})
		r.trace.Began = time.UnixMicro(1000_000_000)
		for line := range bytes.SplitSeq(text, []byte("\n")) {
			var m message
			if json.Unmarshal(line, &m) == nil {
				_ = r.take(m) // an error ends the run
			}
		}
		for _, x := range r.finish().Exchanges {
			if x.Connection >= int64(len(r.trace.Connections)) || x.Failed == "" && !r.settled[x.ID] {
				t.Fatalf("%+v", x)
			}
		}
	})
}

func TestReadMessage(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	in := bufio.NewReader(iotest.HalfReader(strings.NewReader("a\x00" + long + "\x00\x00cut")))
	for _, want := range []string{"a", long, ""} {
		if got, err := readMessage(in); err != nil || string(got) != want {
			t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
		}
	}
	if _, err := readMessage(in); err == nil {
		t.Error("a message that is cut off is taken")
	}
}

// TestNoChromium starts what is no browser.
func TestNoChromium(t *testing.T) {
	for _, path := range []string{"/bin/true", "/bin/cat", "/nonexistent"} {
		_, err := Run(t.Context(), scenario(t), Config{Path: path, Places: []Place{{"origin", "127.0.0.1:1"}}, Dir: t.TempDir()})
		if err == nil || errors.Is(err, t.Context().Err()) && t.Context().Err() != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}
