package packet

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"linger"
	"linger/capture/talk"
	"linger/dns"
	"linger/trace"
	"linger/wire"
)

// query and answer are messages of DNS about a name.
func query(t testing.TB, name string) []byte {
	t.Helper()
	b, err := dns.Ask(linger.Query{Name: name, Type: "A"}, dns.OptionsOver(linger.OverQUIC))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// refused is an answer without records, by the bits of its header (RFC 1035, 4.1.1).
func refused(query []byte) []byte {
	b := append([]byte(nil), query...)
	b[2] |= 0x80
	b[3] = b[3]&0xf0 | 5
	return b
}

func TestDNSInExchangesOfHTTP(t *testing.T) {
	asked := query(t, "www.example")
	inside := "https://r.example/dns-query?dns=" + base64.RawURLEncoding.EncodeToString(asked)
	const post, named = "https://r.example:8443/dns-query", "dns://r.example:8443/www.example?type=A"
	for _, test := range []struct {
		name            string
		over            linger.Protocol
		url             string
		asked, answered []byte
		of              linger.Protocol
		want            string // method, URL and code
	}{
		{"POST", linger.H2, post, asked, refused(asked), linger.DNSOverHTTPS, "A " + named + " REFUSED"},
		{"GET", linger.H3, inside, nil, refused(asked), linger.DNSOverHTTP3, "A dns://r.example/www.example?type=A REFUSED"},
		{"GET with padding", linger.H3, inside + "==", nil, nil, linger.DNSOverHTTP3, "A dns://r.example/www.example?type=A "},
		{"GET of a template", linger.H2, strings.Replace(inside, "?dns=", "?ct&dns=", 1), nil, refused(asked), linger.DNSOverHTTPS, "A dns://r.example/www.example?type=A REFUSED"},
		{"the answer alone", linger.H2, post, nil, refused(asked), linger.DNSOverHTTPS, "A " + named + " REFUSED"},
		{"no answer", linger.H2, post, asked, nil, linger.DNSOverHTTPS, "A " + named + " "},
		{"a broken answer", linger.H2, post, asked, []byte("no"), linger.DNSOverHTTPS, "A " + named + " "},
		{"neither", linger.H2, post, nil, nil, linger.H2, "X " + post + " "},
		{"no DNS in the URL", linger.H2, "https://r.example/?dns=yes", nil, nil, linger.H2, "X https://r.example/?dns=yes "},
		{"HTTP/1.1", linger.HTTP11, post, asked, refused(asked), linger.HTTP11, "X " + post + " REFUSED"},
	} {
		x := trace.Exchange{Method: "X", URL: test.url}
		of := overHTTP(test.over, &x, test.asked, test.answered)
		if got := x.Method + " " + x.URL + " " + x.Rcode; of != test.of || got != test.want {
			t.Errorf("%s: %s, %q; want %s, %q", test.name, of, got, test.of, test.want)
		}
	}
}

// A list is a sink.
type list struct {
	connections []trace.Connection
	exchanges   []trace.Exchange
}

func (l *list) WriteConnection(c *trace.Connection) error {
	l.connections = append(l.connections, *c)
	return nil
}

func (l *list) WriteExchange(x *trace.Exchange) error {
	l.exchanges = append(l.exchanges, *x)
	return nil
}

func TestQueriesOverQUIC(t *testing.T) {
	asked := query(t, "www.example")
	answered := refused(asked)
	up, down := wire.AppendMessage(nil, asked), wire.AppendMessage(nil, answered)
	for piece := 1; piece <= len(up); piece += 7 {
		var to list
		r := New(Options{}, &to)
		c := &conn{id: 3, target: "192.0.2.53"}
		a := newOverQUIC(r, c, linger.DNSOverQUIC.ALPN())
		n := int64(0)
		put := func(id int64, from talk.Side, b []byte, fin bool) {
			for ; len(b) > piece; b = b[piece:] {
				n++
				a.stream(r, c, id, from, b[:piece], false, mark{At: linger.Instant(n), Frame: n})
			}
			n++
			a.stream(r, c, id, from, b, fin, mark{At: linger.Instant(n), Frame: n})
		}
		put(0, talk.Client, up, true)
		put(4, talk.Client, up, true)
		put(2, talk.Client, []byte("not of a query"), true)
		put(8, talk.Client, up, true)
		put(12, talk.Client, up, true)
		put(16, talk.Client, up, false)
		put(4, talk.Server, append(down, down...), true)
		put(0, talk.Server, down, false)
		put(0, talk.Server, nil, true)
		put(16, talk.Server, down, true)
		put(16, talk.Client, nil, true)
		put(8, talk.Server, down[:9], true)
		a.reset(r, c, 12, talk.Server, false, wire.DoQExcessiveLoad, mark{At: linger.Instant(n)})
		put(20, talk.Client, up, true)
		a.close(r, c, talk.NoResponse)
		a.close(r, c, talk.NoResponse)
		if len(to.exchanges) != 6 || r.sum.Exchanges[linger.DNSOverQUIC] != 6 || a.(*doqApp).held != 0 {
			t.Fatalf("pieces of %d: %d held, %+v", piece, a.(*doqApp).held, to.exchanges)
		}
		var got []string
		for _, x := range to.exchanges {
			got = append(got, fmt.Sprint(x.Stream.Or(-1), x.Number, " ", x.Method, " ", x.URL, " ", x.Rcode, " ", x.RequestHead, x.RequestBody-int64(len(asked)), x.ResponseHead,
				x.ResponseBody/int64(len(answered)), !x.Done.IsZero(), " ", x.Failed))
		}
		const named = " A dns://192.0.2.53/www.example?type=A "
		want := []string{
			"4 2" + named + "REFUSED 2 0 4 2 true ",
			"0 1" + named + "REFUSED 2 0 2 1 true ",
			"16 5" + named + "REFUSED 2 0 2 1 true ",
			"8 3" + named + " 2 0 0 0 false " + talk.Cut,
			"12 4" + named + " 2 0 0 0 false server ended the stream with DOQ_EXCESSIVE_LOAD",
			"20 6" + named + " 2 0 0 0 false " + talk.NoResponse,
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("pieces of %d:\n%s", piece, strings.Join(got, "\n"))
		}
		var k trace.Connection
		a.tell(&k)
		if k.Protocol != linger.DNSOverQUIC || k.Requests != 6 {
			t.Errorf("%+v", k)
		}
	}
}

func FuzzQueriesOverQUIC(f *testing.F) {
	up := wire.AppendMessage(nil, query(f, "www.example"))
	f.Add(up, up)
	f.Add([]byte{0, 0, 0}, []byte{0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, up, down []byte) {
		var to list
		r := New(Options{}, &to)
		c := &conn{target: "192.0.2.53"}
		a := &doqApp{}
		for i := range up {
			a.stream(r, c, int64(i/64*4), talk.Client, up[i:i+1], false, mark{})
		}
		a.stream(r, c, 0, talk.Server, down, false, mark{})
		a.close(r, c, talk.NoResponse)
		if a.held != 0 {
			t.Fatalf("%d bytes are held", a.held)
		}
	})
}
