package trace

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"linger"
)

func at(ms float64) linger.Opt[linger.Instant] { return linger.Known(linger.Instant(ms * 1e6)) }

// harTrace is a page over TLS whose second object waits for a connection that a
// third one has opened, and whose last one fails.
func harTrace() (*Trace, linger.Workload) {
	w := linger.Workload{Name: "page", Scheme: "https", Exchanges: []linger.Exchange{
		{Method: "GET", Path: "/?a=1&b=%20|", Status: 200, ContentType: "text/html", ResponseBody: 900, Parent: linger.NoParent},
		{Method: "GET", Path: "/1", Status: 200, ContentType: "image/png", ResponseBody: 100, Parent: 0, At: 300},
		{Method: "GET", Path: "/2", Status: 204, Parent: 0, At: 900},
		{Method: "GET", Path: "/3", Status: 200, ResponseBody: 100, Parent: 1, At: 100},
	}}
	exchange := func(id int, connection int64, queued float64) Exchange {
		e := w.Exchanges[id]
		return Exchange{ID: id, Method: e.Method, URL: "https://h.example" + e.Path, Connection: connection, Attempts: 1, Queued: linger.Instant(queued * 1e6),
			Status: e.Status, ContentType: e.ContentType, RequestHead: 60, ResponseHead: 120, ResponseBody: e.ResponseBody}
	}
	t := &Trace{
		Provenance: Measured, Engine: "lab", Workload: "page", Strategy: "keep:2", Network: linger.Network{Name: "lte"},
		Began: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Ended: 500e6,
		Connections: []Connection{
			{ID: 0, Server: "10.0.2.1:443", Protocol: "http/1.1", Dialled: 0, Established: at(70), Connected: at(140.5), Secured: at(140.5)},
			{ID: 1, Server: "[2001:db8::1]:443", Protocol: "h2", Dialled: 150e6, Established: at(220), Connected: at(290), Secured: at(290)},
		},
		Exchanges: []Exchange{exchange(0, 0, 0), exchange(1, 1, 200), exchange(2, 0, 150), exchange(3, -1, 400)},
	}
	x := t.Exchanges
	x[0].Sent, x[0].FirstByte, x[0].Done = at(141), at(212), at(220)
	x[1].Sent, x[1].FirstByte, x[1].Done = at(290), at(361), at(361)
	x[2].Sent, x[2].FirstByte, x[2].Done = at(225), at(300), at(300)
	x[3].Failed = "connection refused"
	return t, w
}

func TestWriteHAR(t *testing.T) {
	in, w := harTrace()
	var b bytes.Buffer
	if err := WriteHAR(&b, in, w, "test"); err != nil {
		t.Fatal(err)
	}
	var got harFile
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	none := float64(-1)
	for i, want := range []struct {
		url, started, connection, server string
		time                             float64
		timings                          harTimings
		requestHead, responseHead        int64
		initiator                        harInitiator
	}{
		{"https://h.example/?a=1&b=%20%7C", "2026-01-02T03:04:05Z", "1", "10.0.2.1", 220,
			harTimings{0.5, none, 140.5, 70.5, 0, 71, 8}, 60, 120, harInitiator{}},
		// It was wanted before the third, and is on a connection that is not new.
		{"https://h.example/2", "2026-01-02T03:04:05.15Z", "1", "10.0.2.1", 150,
			harTimings{75, none, none, none, 0, 75, 0}, 60, 120, harInitiator{"parser", "https://h.example/?a=1&b=%20%7C"}},
		// The part of the handshakes that it waited for.
		{"https://h.example/1", "2026-01-02T03:04:05.2Z", "2", "2001:db8::1", 161,
			harTimings{0, none, 90, 70, 0, 71, 0}, -1, -1, harInitiator{"parser", "https://h.example/?a=1&b=%20%7C"}},
		{"https://h.example/3", "2026-01-02T03:04:05.4Z", "", "", 0,
			harTimings{none, none, none, none, 0, 0, 0}, -1, -1, harInitiator{"other", "https://h.example/1"}},
	} {
		e := got.Log.Entries[i]
		var by harInitiator
		if e.Initiator != nil {
			by = *e.Initiator
		}
		if e.Request.URL != want.url || e.Started != want.started || e.Connection != want.connection || e.Server != want.server ||
			e.Time != want.time || e.Timings != want.timings || by != want.initiator ||
			e.Request.HeadersSize != want.requestHead || e.Response.HeadersSize != want.responseHead {
			t.Errorf("entry %d is %+v, by %+v; want %+v", i+1, e, by, want)
		}
	}
	if q := got.Log.Entries[0].Request.Query; len(q) != 2 || q[0] != (harPair{"a", "1"}) || q[1] != (harPair{"b", " |"}) {
		t.Errorf("the query is %+v", q)
	}
	failed := got.Log.Entries[3].Response
	if failed.Status != 0 || failed.Error != "connection refused" || failed.BodySize != -1 || failed.Content.Size != 0 {
		t.Errorf("what failed is %+v", failed)
	}
	if got.Log.Version != "1.2" || got.Log.Creator != (harCreator{"linger", "test"}) || got.Log.Pages[0].Timings.Load != 500 ||
		got.Log.Comment != "measured by the engine lab, strategy keep:2, network lte" {
		t.Errorf("the log is %+v", got.Log)
	}
}

// What is sent as early data does not wait for the end of the handshake, and the part of
// it that it waited for is no longer than that of connecting.
func TestHandshakeOfEarlyDataIsAPartOfConnecting(t *testing.T) {
	at := func(ms float64) linger.Opt[linger.Instant] { return linger.Known(linger.Instant(ms * 1e6)) }
	got := timings(Exchange{Queued: 1e6, Sent: at(9), FirstByte: at(79), Done: at(80)},
		Connection{Dialled: 1e6, Connected: at(3), Secured: at(73)}, true)
	if want := (harTimings{Blocked: 6, DNS: -1, Connect: 2, TLS: 2, Wait: 70, Receive: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func BenchmarkWriteHAR(b *testing.B) {
	in, w := harTrace()
	for b.Loop() {
		if err := WriteHAR(new(bytes.Buffer), in, w, "test"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(in.Exchanges)*b.N)/b.Elapsed().Seconds(), "exchanges/s")
}
