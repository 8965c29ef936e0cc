package site

import (
	"bytes"
	"io"
	"testing"

	"linger"
	"linger/content"
	"linger/dns"
	"linger/origin/head"
)

func ask(t *testing.T, s *Site, method, target string) Answer {
	t.Helper()
	key := []byte(method + " " + target)
	return s.Find(&head.Request{Key: key, Method: key[:len(method)], Target: key[len(method)+1:], IsHEAD: method == "HEAD"})
}

func made(t *testing.T, w linger.Workload, origin int, cache int64) *Site {
	t.Helper()
	s, err := New(w, origin, cache)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFind asks for what there is and what there is not, by path and method.
func TestFind(t *testing.T) {
	s := made(t, linger.Textbook(2), 0, 64<<10)
	for _, test := range []struct {
		method, target string
		status         int
		bytes          int64
	}{
		{"GET", "/", 200, 1200},
		{"HEAD", "/", 200, 0},
		{"GET", "/1", 200, 1000},
		{"GET", "http://a.example/1", 200, 1000},
		{"POST", "/1", 405, -1},
		{"GET", "/3", 404, -1},
		{"OPTIONS", "*", 204, 0},
		{"GET", "/bytes/17", 200, 17},
		{"GET", "/bytes/70000", 200, 70000},
		{"HEAD", "/bytes/17", 200, 0},
		{"GET", "/bytes/x", 404, -1},
		{"GET", "/delay/2s", 200, -1},
		{"GET", "/delay/2h", 404, -1},
		{"GET", "/status/418", 418, -1},
		{"GET", "/status/204", 204, 0},
		{"GET", "/status/199", 404, -1},
		{"GET", "/misbehave/reset", 200, aboutSize},
		{"GET", "/misbehave/reset/1", 200, 1000},
		{"GET", "/misbehave/unheard-of", 404, -1},
		{"GET", dohPath, 404, -1}, // there are no names
	} {
		a := ask(t, s, test.method, test.target)
		if a.Status != test.status || test.bytes >= 0 && a.Bytes() != test.bytes {
			t.Errorf("%s %s: status %d and %d bytes, want %d and %d", test.method, test.target, a.Status, a.Bytes(), test.status, test.bytes)
		}
		if a.Method != test.method && (a.Method != "GET" || test.method != "HEAD") {
			t.Errorf("%s %s is logged as %s", test.method, test.target, a.Method)
		}
	}
	if a := ask(t, s, "GET", "/misbehave/few-requests:3/1"); a.Misbehaviour == nil || a.Misbehaviour.String() != "few-requests:3" {
		t.Errorf("misbehaviour %v", a.Misbehaviour)
	}
}

// TestBodiesAreHeldAsFarAsTheyFit: what is not held is made anew, and is the same.
func TestBodiesAreHeldAsFarAsTheyFit(t *testing.T) {
	w := linger.Textbook(2)
	s := made(t, w, 0, 1500)
	for i, e := range w.Exchanges {
		a := ask(t, s, "GET", e.Path)
		if held := a.Body != nil; held != (i == 0) {
			t.Errorf("%s is held: %v", e.Path, held)
		}
		got := a.Body
		if a.Stream != nil {
			got, _ = io.ReadAll(a.Stream)
		}
		if want, _ := io.ReadAll(content.Body(w, i)); !bytes.Equal(got, want) {
			t.Errorf("%s is not the workload's", e.Path)
		}
	}
}

// TestQuery asks for a name over each kind of carrier.
func TestQuery(t *testing.T) {
	w := linger.Workload{Name: "names", Scheme: linger.SchemeDNS, Exchanges: []linger.Exchange{
		{Query: linger.Query{Name: "a.example", Type: "A"}, ResponseBody: 4000, Parent: linger.NoParent},
	}}
	if err := w.Validate(); err != nil {
		t.Fatal(err)
	}
	s := made(t, w, 0, 0)
	message, err := dns.Ask(linger.Query{Name: "a.example", Type: "A"}, dns.Options{ID: 7})
	if err != nil {
		t.Fatal(err)
	}
	q, ok := s.Query(message)
	if !ok || q.ID() != 7 || q.AsksForKeepalive() {
		t.Fatalf("%v, %+v", ok, q)
	}
	stream := q.Answer(Carrier{})
	if stream.Method != "A" || stream.Target != "a.example" || stream.Status != 0 || stream.Length != 4000 || len(stream.Body) != 4000 {
		t.Errorf("over a stream: %s %s %d, %d bytes", stream.Method, stream.Target, stream.Status, stream.Length)
	}
	if packet := q.Answer(Carrier{Datagram: true}); packet.Length > dns.UDPSize {
		t.Errorf("a datagram has %d bytes", packet.Length)
	}
	if none := q.Unanswered(); none.Target != "a.example" || none.Bytes() != 0 {
		t.Errorf("unanswered: %+v", none)
	}
	if _, ok := s.Query([]byte("no query")); ok {
		t.Error("anything is a query")
	}
	if _, ok := made(t, linger.Textbook(1), 0, 0).Query(message); ok {
		t.Error("a site without names looks one up")
	}
}
