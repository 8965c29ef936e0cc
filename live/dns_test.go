package live

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"linger"
	"linger/ask"
	"linger/dns"
	"linger/internal/testall"
	"linger/policy"
	"linger/trace"
	"linger/wire"
)

// lookups is a workload of n queries that are all known from the start.
func lookups(n int) linger.Workload {
	w := linger.Workload{Name: "lookups", Scheme: linger.SchemeDNS}
	for i := range n {
		w.Exchanges = append(w.Exchanges, linger.Exchange{Query: linger.Query{Name: fmt.Sprintf("host%d.example", i), Type: "A"}, Parent: linger.NoParent})
	}
	return w
}

// hurried are limits under which a test of a silent resolver ends soon.
var hurried = policy.Limits{Connect: 2 * time.Second, Stall: 500 * time.Millisecond, Linger: 50 * time.Millisecond, Repeat: 50 * time.Millisecond, Sends: 3}

// reply is what a good server says to a query.
func reply(query []byte) []byte { return replyOf(query, dns.Answer{}) }

func replyOf(query []byte, a dns.Answer) []byte {
	m, err := dns.Read(query)
	if err != nil || !m.IsQuery() {
		panic(fmt.Sprintf("the client sent what is no query: %v", err))
	}
	return m.Reply(a).Message
}

// with returns a reply whose bytes were changed.
func with(change func(b []byte) []byte) func(query []byte) []byte {
	return func(query []byte) []byte { return change(reply(query)) }
}

// otherID is a reply to a query with another ID.
var otherID = with(func(b []byte) []byte { b[1] ^= 1; return b })

// otherQuestion is a reply to a query for another name.
func otherQuestion(query []byte) []byte {
	b := reply(query)
	b[dns.HeaderSize+1] = 'g' // the name's first letter, an h
	return b
}

// onlyHeader is a reply of a response code and no question.
func onlyHeader(rcode byte) func(query []byte) []byte {
	return func(query []byte) []byte {
		return append([]byte{query[0], query[1], 0x80, rcode}, make([]byte, 8)...)
	}
}

// rcode is a reply with that response code.
func rcode(code byte) func(query []byte) []byte {
	return with(func(b []byte) []byte { b[3] = b[3]&0xf0 | code; return b })
}

// cut sets TC in a reply, and leaves out what is behind the question.
func cut(query []byte) []byte { return replyOf(query, dns.Answer{Size: 3000, Limit: 600}) }

// padded appends zeros to a reply until it has n bytes.
func padded(n int) func(query []byte) []byte {
	return with(func(b []byte) []byte { return append(b, make([]byte, n-len(b))...) })
}

// datagrams is a resolver over UDP: answer says what the n-th datagram, from 0, has
// for an answer.
func datagrams(t testing.TB, address string, answer func(n int, query []byte) [][]byte) string {
	t.Helper()
	socket, err := net.ListenPacket("udp4", address)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, linger.MaxMessage)
		for n := 0; ; n++ {
			size, from, err := socket.ReadFrom(buf)
			if err != nil {
				return
			}
			for _, b := range answer(n, buf[:size]) {
				socket.WriteTo(b, from)
			}
		}
	})
	t.Cleanup(func() {
		socket.Close()
		wg.Wait()
	})
	return socket.LocalAddr().String()
}

// readQuery reads a query behind its length; nil is the end.
func readQuery(r io.Reader) []byte {
	b, err := wire.ReadMessage(r, nil)
	if err != nil {
		return nil
	}
	return b
}

// prefixed puts a length before a message: its own, or another.
func prefixed(b []byte, length int) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(length)), b...)
}

func whollyPrefixed(b []byte) []byte { return prefixed(b, len(b)) }

// messagesOn is a resolver over TCP: answer says what is written for the n-th query,
// from 0, on connection c, and whether the connection stays.
func messagesOn(answer func(c, n int, query []byte) (out []byte, stays bool)) func(int, net.Conn) {
	return func(c int, socket net.Conn) {
		for n := 0; ; n++ {
			query := readQuery(socket)
			if query == nil {
				return
			}
			out, stays := answer(c, n, query)
			if _, err := socket.Write(out); err != nil || !stays {
				return
			}
		}
	}
}

// lookUp runs a strategy of DNS and holds what is true of every run.
func lookUp(t testing.TB, w linger.Workload, s string, c Config) *trace.Trace {
	t.Helper()
	out, err := Run(t.Context(), linger.Scenario{Workload: w, Strategy: strategy(t, s)}, c)
	if err != nil {
		t.Fatal(err)
	}
	if strategy(t, s).Datagram {
		checkSettled(t, out)
	} else {
		check(t, out)
	}
	return out
}

// checkSettled is check where what is sent again is no further request.
func checkSettled(t testing.TB, tr *trace.Trace) {
	t.Helper()
	for _, x := range tr.Exchanges {
		done, ok := x.Done.Get()
		if x.Failed == "" && !ok {
			t.Errorf("exchange %d is neither done nor failed", x.ID)
		}
		if sent, first := x.Sent.Or(0), x.FirstByte.Or(0); ok && !(x.Queued <= sent && sent <= first && first <= done && done <= tr.Ended) {
			t.Errorf("exchange %d: queued %d, sent %d, first byte %d, done %d, run ended %d", x.ID, x.Queued, sent, first, done, tr.Ended)
		}
	}
	for _, c := range tr.Connections {
		if _, ok := c.Closed.Get(); !ok || c.ClosedBy == trace.Nobody || c.Reason == "" {
			t.Errorf("connection %d has no known end: %+v", c.ID, c)
		}
	}
}

// wantReason checks how an exchange ended: with that reason, part of it, or well.
func wantReason(t testing.TB, x trace.Exchange, want string) {
	t.Helper()
	if want == "" && x.Failed != "" || !strings.Contains(x.Failed, want) {
		t.Errorf("exchange %d: failed %q, want %q", x.ID, x.Failed, want)
	}
}

// TestOddDatagrams has a query over UDP answered in every wrong way that we could
// think of.
func TestOddDatagrams(t *testing.T) {
	both := func(first, second func([]byte) []byte) func(int, []byte) [][]byte {
		return func(_ int, q []byte) [][]byte { return [][]byte{first(q), second(q)} }
	}
	one := func(f func([]byte) []byte) func(int, []byte) [][]byte {
		return func(_ int, q []byte) [][]byte { return [][]byte{f(q)} }
	}
	fixed := func(b string) func([]byte) []byte { return func([]byte) []byte { return []byte(b) } }
	const gaveUp = "no answer to 3 datagrams in "
	for _, test := range []struct {
		name     string
		answer   func(n int, query []byte) [][]byte
		reason   string // part of; empty is answered
		attempts int
		rcode    string
		size     int64
	}{
		{"a good answer", one(reply), "", 1, "NOERROR", 0},
		{"another ID", one(otherID), "3 datagrams came that are none: the ID ", 3, "", 0},
		{"another ID, then the answer", both(otherID, reply), "", 1, "NOERROR", 0},
		{"another question", one(otherQuestion), "3 datagrams came that are none: the answer to another question: gost0.example A", 3, "", 0},
		{"another question, then the answer", both(otherQuestion, reply), "", 1, "NOERROR", 0},
		{"the query itself", one(func(q []byte) []byte { return q }), "a query in place of an answer", 3, "", 0},
		{"garbage", one(fixed("\xff\xfe\xfd no message of anything")), "3 datagrams came that are none", 3, "", 0},
		{"garbage, then the answer", both(fixed("garbage"), reply), "", 1, "NOERROR", 0},
		{"an empty datagram", one(fixed("")), "0 bytes that are no message of DNS", 3, "", 0},
		{"less than a header", one(fixed("abc")), "3 bytes that are no message of DNS", 3, "", 0},
		{"cut in the answer", one(with(func(b []byte) []byte { return b[:len(b)-15] })), "the answer cannot be read", 1, "", 0},
		{"cut in the question", one(with(func(b []byte) []byte { return b[:20] })), "a message that cannot be read", 3, "", 0},
		{"nothing", func(int, []byte) [][]byte { return nil }, gaveUp, 3, "", 0},
		{"nothing to the first datagram", func(n int, q []byte) [][]byte {
			if n == 0 {
				return nil
			}
			return [][]byte{reply(q)}
		}, "", 2, "NOERROR", 0},
		{"SERVFAIL", one(rcode(2)), "server answered SERVFAIL", 1, "SERVFAIL", 0},
		{"REFUSED", one(rcode(5)), "server answered REFUSED", 1, "REFUSED", 0},
		{"FORMERR without a question", one(onlyHeader(1)), "server answered FORMERR", 1, "FORMERR", 12},
		{"NOERROR without a question", one(onlyHeader(0)), "the answer to another question: 0 questions", 3, "", 0},
		{"NXDOMAIN", one(rcode(3)), "", 1, "NXDOMAIN", 0},
		{"twice", both(reply, reply), "", 1, "NOERROR", 0},
		{"the longest datagram", one(padded(65507)), "", 1, "NOERROR", 65507},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			address := datagrams(t, "127.0.0.1:0", test.answer)
			limits := hurried
			if test.attempts == 1 { // what is answered is, on a busy machine too, before it is asked again
				limits.Repeat, limits.Stall = 10*time.Second, 10*time.Second
			}
			tr := lookUp(t, lookups(1), "udp", Config{Address: address, Limits: limits})
			x := tr.Exchanges[0]
			wantReason(t, x, test.reason)
			if x.Attempts != test.attempts || x.Rcode != test.rcode || test.size > 0 && x.ResponseBody != test.size {
				t.Errorf("%d attempts, %q, %d bytes; want %d, %q, %d", x.Attempts, x.Rcode, x.ResponseBody, test.attempts, test.rcode, test.size)
			}
			if len(tr.Connections) != 1 || tr.Connections[0].Protocol != "udp" || tr.Connections[0].Requests != 1 {
				t.Errorf("connections %+v", tr.Connections)
			}
		})
	}
}

// TestStrictAnswers says that a name of the workload must be there where that is known.
func TestStrictAnswers(t *testing.T) {
	address := datagrams(t, "127.0.0.1:0", func(_ int, q []byte) [][]byte { return [][]byte{rcode(3)(q)} })
	tr := lookUp(t, lookups(1), "udp", Config{Address: address, Limits: hurried, Verify: true})
	wantReason(t, tr.Exchanges[0], "server answered NXDOMAIN, and the name is in the workload")
}

// TestClosedUDPPort says at once that nobody listens.
func TestClosedUDPPort(t *testing.T) {
	// Port 1 is given to nobody who asks for any: a port that was free a moment ago may be.
	tr := lookUp(t, lookups(3), "udp", Config{Address: "127.0.0.1:1"})
	for _, x := range tr.Exchanges {
		wantReason(t, x, "nothing listens on that UDP port (ICMP port unreachable)")
		if x.Attempts != 1 {
			t.Errorf("%d attempts", x.Attempts)
		}
	}
	for _, c := range tr.Connections {
		if c.ClosedBy != trace.AtServer {
			t.Errorf("connection %d closed by %q", c.ID, c.ClosedBy)
		}
	}
}

// listenTwice listens on one port over TCP, and returns its address for UDP as well.
func listenTwice(t testing.TB, serve func(n int, c net.Conn), answer func(n int, query []byte) [][]byte) string {
	t.Helper()
	address := listen(t, serve)
	return datagrams(t, address, answer)
}

// TestTruncated has answers that do not fit into a datagram.
func TestTruncated(t *testing.T) {
	t.Parallel()
	truncated := func(_ int, q []byte) [][]byte {
		m, _ := dns.Read(q)
		if strings.HasPrefix(m.Query.Name, "host1.") {
			return [][]byte{cut(q)}
		}
		return [][]byte{reply(q)}
	}
	large := messagesOn(func(_, _ int, q []byte) ([]byte, bool) {
		return whollyPrefixed(replyOf(q, dns.Answer{Size: 3000})), true
	})
	for _, test := range []struct {
		name    string
		address string
		reason  string
		tcp     int // connections
	}{
		{"TCP has room", listenTwice(t, large, truncated), "", 1},
		{"TCP is refused", datagrams(t, "127.0.0.1:0", truncated), "connection refused", 1},
		{"TCP truncates too", listenTwice(t, messagesOn(func(_, _ int, q []byte) ([]byte, bool) {
			return whollyPrefixed(cut(q)), true
		}), truncated), "the answer is truncated, over a transport that has room for all of it", 1},
		{"TCP closes", listenTwice(t, func(_ int, c net.Conn) { readQuery(c) }, truncated), "server closed with an answer due", 1},
	} {
		tr := lookUp(t, lookups(3), "udp", Config{Address: test.address, Limits: hurried})
		for i, x := range tr.Exchanges {
			if i != 1 {
				wantReason(t, x, "")
				if x.Truncated {
					t.Errorf("%s: exchange %d was truncated", test.name, i)
				}
				continue
			}
			wantReason(t, x, test.reason)
			if !x.Truncated {
				t.Errorf("%s: not noted", test.name)
			}
			if test.reason == "" && (x.ResponseBody < 3000 || x.ResponseHead != 2 || x.Attempts != 2 || tr.Connections[x.Connection].Protocol != "tcp") {
				t.Errorf("%s: %+v", test.name, x)
			}
		}
		streams := 0
		for _, c := range tr.Connections {
			if c.Protocol == "tcp" {
				streams++
			}
		}
		if streams != test.tcp {
			t.Errorf("%s: %d connections of TCP", test.name, streams)
		}
	}
}

// TestOddMessages has queries over TCP answered in wrong ways. The server does so for
// the first query of its first connection, and is good for all others.
func TestOddMessages(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		answer func(query []byte) (out []byte, stays bool)
		reason string // of the first exchange, part of
		closed string // reason of connection 0, part of; empty is by us
	}{
		{"another ID", func(q []byte) ([]byte, bool) { return whollyPrefixed(otherID(q)), true },
			"server sent an answer with the ID ", "which no query has"},
		{"another question", func(q []byte) ([]byte, bool) { return whollyPrefixed(otherQuestion(q)), true },
			"the answer to another question: gost0.example A", ""},
		{"the query itself", func(q []byte) ([]byte, bool) { return whollyPrefixed(q), true }, "a query in place of an answer", ""},
		{"cut message in a true length", func(q []byte) ([]byte, bool) { b := reply(q); return whollyPrefixed(b[:len(b)-15]), true },
			"the answer cannot be read", ""},
		{"length 0", func(q []byte) ([]byte, bool) { return prefixed(reply(q), 0), true }, "server sent a message of 0 bytes", "of 0 bytes"},
		{"length 1", func(q []byte) ([]byte, bool) { return prefixed(reply(q), 1), true }, "server sent a message of 1 bytes", "of 1 bytes"},
		{"length 5", func(q []byte) ([]byte, bool) { return prefixed(reply(q), 5), true }, "server sent a message of 5 bytes", "of 5 bytes"},
		{"length beyond the message", func(q []byte) ([]byte, bool) { b := reply(q); return prefixed(b, len(b)+10), true },
			"no byte of the response for 500ms", "no byte"},
		{"length beyond the message, then the end", func(q []byte) ([]byte, bool) { b := reply(q); return prefixed(b, len(b)+10), false },
			"server closed in the midst of an answer", "in the midst of an answer"},
		{"length 65535", func(q []byte) ([]byte, bool) { return prefixed(reply(q), 65535), false },
			"server closed in the midst of an answer", "in the midst of an answer"},
		{"half a length", func(q []byte) ([]byte, bool) { return []byte{0}, false }, "server closed in the midst of an answer", "in the midst"},
		{"the end in place of an answer", func(q []byte) ([]byte, bool) { return nil, false }, "server closed with ", "due"},
		{"nothing", func(q []byte) ([]byte, bool) { return nil, true }, "no byte of the response for 500ms", "no byte"},
		{"the longest message", func(q []byte) ([]byte, bool) { return whollyPrefixed(padded(65535)(q)), true }, "", ""},
		{"truncated", func(q []byte) ([]byte, bool) { return whollyPrefixed(cut(q)), true }, "the answer is truncated", ""},
		{"SERVFAIL", func(q []byte) ([]byte, bool) { return whollyPrefixed(rcode(2)(q)), true }, "server answered SERVFAIL", ""},
		{"REFUSED without a question", func(q []byte) ([]byte, bool) { return whollyPrefixed(onlyHeader(5)(q)), true }, "server answered REFUSED", ""},
		{"NXDOMAIN", func(q []byte) ([]byte, bool) { return whollyPrefixed(rcode(3)(q)), true }, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, s := range []string{"tcp", "tcp+keep"} {
				var odd atomic.Bool
				address := listen(t, messagesOn(func(c, n int, q []byte) ([]byte, bool) {
					if m, _ := dns.Read(q); m.Query.Name == "host0.example" && !odd.Swap(true) {
						return test.answer(q)
					}
					return whollyPrefixed(reply(q)), true
				}))
				tr := lookUp(t, lookups(3), s, Config{Address: address, Limits: hurried})
				for i, x := range tr.Exchanges {
					if i == 0 {
						wantReason(t, x, test.reason)
					} else {
						wantReason(t, x, "")
					}
				}
				first := tr.Connections[tr.Exchanges[0].Connection]
				if by := first.ClosedBy; (test.closed == "") != (by == trace.AtClient && strings.Contains(first.Reason, "all is fetched") || strings.Contains(first.Reason, "it has carried")) ||
					!strings.Contains(first.Reason, test.closed) {
					t.Errorf("%s: closed by %s: %s", s, by, first.Reason)
				}
			}
		})
	}
}

// TestCutConnections has servers that close once they have answered so many queries.
// Each query is answered nevertheless, on another connection.
func TestCutConnections(t *testing.T) {
	t.Parallel()
	const queries = 12
	for _, test := range []struct {
		strategy    string
		answers     int
		cut         bool // the next answer is begun
		connections int  // 0 is that many or more
	}{
		{"tcp+keep", 1, false, queries},
		{"tcp+keep", 5, false, 3},
		{"tcp+keep", 5, true, 3},
		{"tcp+pipeline", 1, false, queries},
		{"tcp+pipeline", 5, false, 3},
		{"tcp+pipeline", 5, true, 3},
	} {
		address := listen(t, func(_ int, c net.Conn) {
			for range test.answers {
				q := readQuery(c)
				if q == nil {
					return
				}
				c.Write(whollyPrefixed(reply(q)))
			}
			if test.cut {
				if q := readQuery(c); q != nil {
					c.Write(whollyPrefixed(reply(q))[:20])
				}
			}
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c) // no RST, which could destroy what was answered
		})
		tr := lookUp(t, lookups(queries), test.strategy, Config{Address: address, Limits: hurried})
		for _, x := range tr.Exchanges {
			wantReason(t, x, "")
		}
		if n := len(tr.Connections); n != test.connections {
			t.Errorf("%+v: %d connections, want %d", test, n, test.connections)
		}
	}
}

// TestDisorder has the answers of a pipeline come last first.
func TestDisorder(t *testing.T) {
	t.Parallel()
	const queries = 10
	address := listen(t, func(_ int, c net.Conn) {
		var out []byte
		for range queries {
			out = append(whollyPrefixed(reply(readQuery(c))), out...)
		}
		c.Write(out)
		readQuery(c)
	})
	tr := lookUp(t, lookups(queries), "tcp+pipeline", Config{Address: address, Limits: hurried})
	for _, x := range tr.Exchanges {
		wantReason(t, x, "")
	}
	if len(tr.Connections) != 1 || tr.Retries != 0 {
		t.Errorf("%d connections, %d retries", len(tr.Connections), tr.Retries)
	}
}

// TestIdleLimit has a server that allows 400 ms, and another that allows nothing.
func TestIdleLimit(t *testing.T) {
	t.Parallel()
	w := lookups(2)
	w.Exchanges[1].Parent, w.Exchanges[1].Think = 0, time.Second
	for limit, want := range map[time.Duration]string{400 * time.Millisecond: "idle for nearly the 400ms that the server allows", 0: "server allows no idle time"} {
		address := listen(t, messagesOn(func(_, _ int, q []byte) ([]byte, bool) {
			return whollyPrefixed(replyOf(q, dns.Answer{Keepalive: linger.Known(limit)})), true
		}))
		tr := lookUp(t, w, "tcp+keep", Config{Address: address, Limits: hurried})
		if len(tr.Connections) != 2 {
			t.Fatalf("%d connections", len(tr.Connections))
		}
		c := tr.Connections[0]
		if got, ok := c.IdleLimit.Get(); !ok || got != limit || c.Reason != want || c.ClosedBy != trace.AtClient {
			t.Errorf("limit %v: %+v", limit, c)
		}
	}
}

// queryOf is the message that a request of HTTP carries.
func queryOf(in *http.Request) []byte {
	if in.Method == http.MethodGet {
		b, err := base64.RawURLEncoding.DecodeString(in.URL.Query().Get("dns"))
		if err != nil {
			panic(err)
		}
		return b
	}
	b, _ := io.ReadAll(in.Body)
	return b
}

// doh serves DNS over HTTPS by HTTP/2, and the same by HTTP/3.
func doh(t testing.TB, handler http.HandlerFunc) (h2, h3 Config) {
	t.Helper()
	s := startH3(t, linger.Workload{}, handler, func(s *h3Server) {
		// A server that a client has left within the handshake gives it up in its own time.
		s.QUICConfig.HandshakeIdleTimeout, s.QUICConfig.MaxIdleTimeout = time.Second, 2*time.Second
	})
	a := newAuthority(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, TLSConfig: a.config("h2"), ErrorLog: log.New(io.Discard, "", 0)}
	go server.ServeTLS(l, "", "")
	t.Cleanup(func() { server.Close() })
	return Config{Address: l.Addr().String(), Roots: a.roots(), Limits: hurried},
		Config{Address: s.socket.LocalAddr().String(), Roots: s.roots, Limits: hurried}
}

// TestOddDoH has DNS over HTTPS answered in wrong ways, over HTTP/2 and HTTP/3.
func TestOddDoH(t *testing.T) {
	t.Parallel()
	says := func(status int, kind string, body func(query []byte) []byte) http.HandlerFunc {
		return func(out http.ResponseWriter, in *http.Request) {
			q := queryOf(in)
			out.Header()["Content-Type"] = nil
			if kind != "" {
				out.Header().Set("Content-Type", kind)
			}
			out.WriteHeader(status)
			out.Write(body(q))
		}
	}
	none := func([]byte) []byte { return nil }
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		reason  string
	}{
		{"a good answer", says(200, "application/dns-message", reply), ""},
		{"a type with a parameter", says(200, "Application/DNS-Message; charset=x", reply), ""},
		{"500", says(500, "text/plain", reply), "HTTP status 500"},
		{"404", says(404, "application/dns-message", reply), "HTTP status 404"},
		{"another type", says(200, "text/html", reply), "content of the type text/html, not application/dns-message"},
		{"no type", says(200, "", reply), "content without a type, not application/dns-message"},
		{"nothing", says(200, "application/dns-message", none), "0 bytes that are no message of DNS"},
		{"no content", says(204, "", none), "content without a type"},
		{"too long", says(200, "application/dns-message", func([]byte) []byte { return make([]byte, 65536) }), "body is longer than 65535 bytes"},
		{"the longest", says(200, "application/dns-message", padded(65535)), ""},
		{"a redirect", func(out http.ResponseWriter, in *http.Request) {
			http.Redirect(out, in, "/elsewhere", http.StatusTemporaryRedirect)
		}, "HTTP status 307"},
		{"another ID", says(200, "application/dns-message", otherID), "the ID 1, not 0"},
		{"another question", says(200, "application/dns-message", otherQuestion), "the answer to another question: gost0.example A"},
		{"garbage", says(200, "application/dns-message", func([]byte) []byte { return []byte("\x00\x00\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\xff") }), "a message that cannot be read"},
		{"truncated", says(200, "application/dns-message", cut), "the answer is truncated"},
		{"SERVFAIL", says(200, "application/dns-message", rcode(2)), "server answered SERVFAIL"},
		{"NXDOMAIN", says(200, "application/dns-message", rcode(3)), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h2, h3 := doh(t, test.handler)
			for s, c := range map[string]Config{"doh": h2, "doh+get": h2, "doh3": h3, "doh3+get": h3, "doh+keep": h2, "doh3+keep": h3} {
				tr := lookUp(t, lookups(1), s, c)
				if wantReason(t, tr.Exchanges[0], test.reason); t.Failed() {
					t.Errorf("%s: %+v", s, tr.Exchanges[0])
				}
			}
		})
	}
}

// streamsOf is a server of DNS over QUIC: serve has each stream, with its query, and
// the number of its connection.
func streamsOf(t testing.TB, tune func(*quic.Config), serve func(c int, q *quic.Conn, s *quic.Stream, query []byte)) (Config, *quic.Transport) {
	t.Helper()
	a := newAuthority(t)
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	transport := &quic.Transport{Conn: socket}
	config := &quic.Config{Allow0RTT: true}
	if tune != nil {
		tune(config)
	}
	l, err := transport.ListenEarly(a.config("doq"), config)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			q, err := l.Accept(context.Background())
			if err != nil {
				return
			}
			wg.Go(func() {
				for {
					s, err := q.AcceptStream(context.Background())
					if err != nil {
						return
					}
					wg.Go(func() {
						if query := readQuery(s); query != nil {
							serve(n, q, s, query)
						}
					})
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		transport.Close()
		socket.Close()
		wg.Wait()
	})
	return Config{Address: socket.LocalAddr().String(), Roots: a.roots(), Limits: hurried}, transport
}

// TestOddDoQ has the first of three queries over QUIC answered in wrong ways.
func TestOddDoQ(t *testing.T) {
	t.Parallel()
	writes := func(out func(query []byte) []byte) func(*quic.Conn, *quic.Stream, []byte) {
		return func(_ *quic.Conn, s *quic.Stream, q []byte) { s.Write(out(q)); s.Close() }
	}
	type deed struct {
		name   string
		act    func(*quic.Conn, *quic.Stream, []byte)
		reason string // of the first query
		fatal  bool   // the connection is given up, and what else is on it
	}
	tests := []deed{
		{"a good answer", writes(func(q []byte) []byte { return whollyPrefixed(reply(q)) }), "", false},
		{"the longest answer", writes(func(q []byte) []byte { return whollyPrefixed(padded(65535)(q)) }), "", false},
		{"no end of the stream", func(_ *quic.Conn, s *quic.Stream, q []byte) { s.Write(whollyPrefixed(reply(q))) }, "", false},
		{"another question", writes(func(q []byte) []byte { return whollyPrefixed(otherQuestion(q)) }), "the answer to another question: gost0.example A", false},
		{"SERVFAIL", writes(func(q []byte) []byte { return whollyPrefixed(rcode(2)(q)) }), "server answered SERVFAIL", false},
		{"truncated", writes(func(q []byte) []byte { return whollyPrefixed(cut(q)) }), "the answer is truncated", false},
		{"nothing", func(*quic.Conn, *quic.Stream, []byte) {}, "no byte of the response for 500ms", true},
		{"the end in place of an answer", writes(func([]byte) []byte { return nil }),
			"server broke DNS over QUIC: DOQ_PROTOCOL_ERROR: a stream that ended before its answer", true},
		{"the end within an answer", writes(func(q []byte) []byte { return whollyPrefixed(reply(q))[:20] }),
			"a stream that ended before its answer", true},
		{"a length of 65535", writes(func(q []byte) []byte { return prefixed(reply(q), 65535) }), "a stream that ended before its answer", true},
		{"a length of 0", writes(func(q []byte) []byte { return prefixed(nil, 0) }), "0 bytes that are no message of DNS", false},
		{"another ID", writes(func(q []byte) []byte { return whollyPrefixed(otherID(q)) }), "DOQ_PROTOCOL_ERROR: an answer with the ID 1, not 0", true},
		{"edns-tcp-keepalive", writes(func(q []byte) []byte { return whollyPrefixed(withKeepalive(q)) }),
			"DOQ_PROTOCOL_ERROR: an answer with edns-tcp-keepalive", true},
	}
	for code := range uint64(wire.DoQUnspecified + 1) {
		name := wire.DoQErrorName(code)
		tests = append(tests, deed{"a stream reset with " + name, func(_ *quic.Conn, s *quic.Stream, _ []byte) {
			s.CancelWrite(quic.StreamErrorCode(code))
		}, "server ended the stream with " + name, false}, deed{"a connection closed with " + name, func(q *quic.Conn, _ *quic.Stream, _ []byte) {
			q.CloseWithError(quic.ApplicationErrorCode(code), "")
		}, map[bool]string{true: "server closed the connection", false: "server closed the connection with " + name}[code == 0], true})
	}
	tests = append(tests, deed{"a stream reset with a code that nobody knows", func(_ *quic.Conn, s *quic.Stream, _ []byte) {
		s.CancelWrite(0xd098ea5e)
	}, "server ended the stream with error 0xd098ea5e", false})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, s := range []string{"doq", "doq+keep"} {
				var odd atomic.Bool
				c, _ := streamsOf(t, nil, func(_ int, q *quic.Conn, s *quic.Stream, query []byte) {
					if m, _ := dns.Read(query); m.Query.Name == "host0.example" && !odd.Swap(true) {
						test.act(q, s, query)
						return
					}
					s.Write(whollyPrefixed(reply(query)))
					s.Close()
				})
				tr := lookUp(t, lookups(3), s, c)
				// Of several on one connection, those that meet its end are asked again where
				// another was answered before.
				for i, x := range tr.Exchanges {
					switch {
					case i == 0 && (!test.fatal || s == "doq"):
						wantReason(t, x, test.reason)
					case i > 0 && (!test.fatal || s == "doq"):
						wantReason(t, x, "")
					case x.Failed != "" && !strings.Contains(x.Failed, test.reason):
						t.Errorf("exchange %d: %s", i, x.Failed)
					}
				}
			}
		})
	}
}

// withKeepalive is a reply to a query that said edns-tcp-keepalive, and so has it.
func withKeepalive(query []byte) []byte {
	m, _ := dns.Read(query)
	asked, err := dns.Ask(m.Query, dns.Options{Keepalive: true})
	if err != nil {
		panic(err)
	}
	return replyOf(asked, dns.Answer{Keepalive: linger.Known(time.Second)})
}

// TestDoQEarlyDataRejected has a server that gives a ticket and takes no early data
// the next time. Nothing is lost.
func TestDoQEarlyDataRejected(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"doq+keep+0rtt", "doq+0rtt"} {
		for _, takes := range []bool{true, false} {
			var seen atomic.Int64
			c, _ := streamsOf(t, func(c *quic.Config) {
				var dialled atomic.Int64
				c.GetConfigForClient = func(*quic.ClientInfo) (*quic.Config, error) {
					time.Sleep(20 * time.Millisecond) // the early data is on its way by then
					return &quic.Config{Allow0RTT: takes || dialled.Add(1) == 1}, nil
				}
			}, func(_ int, _ *quic.Conn, s *quic.Stream, query []byte) {
				seen.Add(1)
				s.Write(whollyPrefixed(reply(query)))
				s.Close()
			})
			c.Limits = policy.Limits{}
			tr := lookUp(t, lookups(5), s, c)
			for _, x := range tr.Exchanges {
				wantReason(t, x, "")
			}
			if seen.Load() != 5 {
				t.Errorf("%s: the server saw %d queries", s, seen.Load())
			}
			// What was not taken goes again on the connection that it was on.
			if want := map[string]int{"doq+keep+0rtt": 1, "doq+0rtt": 5}[s]; len(tr.Connections) != want {
				t.Errorf("%s, takes %v: %d connections, want %d", s, takes, len(tr.Connections), want)
			}
			for _, k := range tr.Connections {
				h, _ := k.TLS.Get()
				if early, ok := h.EarlyData.Get(); k.Requests > 0 && (!ok || early != takes) {
					t.Errorf("%s, takes %v: early data %v, %v", s, takes, early, ok)
				}
			}
		}
	}
}

// TestNobodyThereForDNS has no server at all, or one of something else.
func TestNobodyThereForDNS(t *testing.T) {
	t.Parallel()
	silent := silence(t, nil)
	free, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	a := newAuthority(t)
	web := listen(t, func(_ int, c net.Conn) { tls.Server(c, a.config("h2")).Handshake() })
	plainText := listen(t, func(_ int, c net.Conn) { io.WriteString(c, "220 mail.example\r\n"); io.Copy(io.Discard, c) })
	limits := hurried
	limits.Connect = 300 * time.Millisecond
	for _, test := range []struct{ strategy, address, reason string }{
		{"doq", silent, "no answer over UDP within 300ms; it may be blocked, or the server has no DNS over QUIC"},
		{"doq", free.LocalAddr().String(), "ICMP port unreachable); the server may have no DNS over QUIC"},
		{"doh3", free.LocalAddr().String(), "ICMP port unreachable); the server may have no DNS over HTTP/3"},
		{"tcp", free.LocalAddr().String(), "connection refused"},
		{"dot", web, "server does not speak dot: it refused the handshake (ALPN)"},
		{"dot", plainText, "server does not speak TLS"},
		{"tcp+keep", plainText, "no byte of the response for 500ms"}, // a length of 12850
	} {
		tr := lookUp(t, lookups(2), test.strategy, Config{Address: test.address, Limits: limits, Roots: a.roots()})
		for _, x := range tr.Exchanges {
			if wantReason(t, x, test.reason); t.Failed() {
				t.Error(test.strategy, test.address)
			}
		}
	}
}

// TestDNSLeavesNothing runs a thousand times over each transport, some of them cut
// short, and looks for what stays behind.
func TestDNSLeavesNothing(t *testing.T) {
	if !testall.Alone(t) {
		return
	}
	runs := testall.Of(1000, 50)
	a := newAuthority(t)
	good := messagesOn(func(c, n int, q []byte) ([]byte, bool) { return whollyPrefixed(reply(q)), n < 3 || c%2 == 0 })
	secure := a.config()
	overTLS := listen(t, func(n int, c net.Conn) {
		s := tls.Server(c, secure)
		defer s.Close()
		good(n, s)
	})
	overUDP := listenTwice(t, good, func(n int, q []byte) [][]byte {
		switch n % 7 {
		case 5:
			return [][]byte{cut(q)}
		case 6:
			return nil
		}
		return [][]byte{reply(q)}
	})
	h2, h3 := doh(t, func(out http.ResponseWriter, in *http.Request) {
		out.Header().Set("Content-Type", ask.DNSMessage)
		out.Write(reply(queryOf(in)))
	})
	// A server that a client has left within the handshake gives it up in its own time.
	quick, _ := streamsOf(t, func(c *quic.Config) {
		c.HandshakeIdleTimeout, c.MaxIdleTimeout = 500*time.Millisecond, time.Second
	}, func(_ int, _ *quic.Conn, s *quic.Stream, q []byte) {
		s.Write(whollyPrefixed(reply(q)))
		s.Close()
	})
	short := hurried
	short.Repeat = 5 * time.Millisecond
	overQUIC := []string{"doq", "doq+keep", "doq+keep+0rtt"}
	if testing.Short() {
		// Under the race detector, too: quic-go reads its peer's parameters for a stream
		// that is opened with early data while the handshake's end writes them.
		overQUIC = overQUIC[:2]
	}
	for _, test := range []struct {
		strategies []string
		config     Config
	}{
		{[]string{"udp", "tcp", "tcp+keep", "tcp+pipeline"}, Config{Address: overUDP, Limits: short}},
		{[]string{"dot", "dot+keep", "dot+pipeline", "dot+resume"}, Config{Address: overTLS, Roots: a.roots(), Limits: short}},
		{[]string{"doh", "doh+keep", "doh+get"}, h2},
		{[]string{"doh3", "doh3+keep"}, h3},
		{overQUIC, quick},
	} {
		t.Run(test.strategies[0], func(t *testing.T) {
			settle := func() (goroutines, files int) {
				// The server, in this process, needs a moment to see the last close.
				goroutines, files = runtime.NumGoroutine(), openFiles()
				for range 50 {
					time.Sleep(10 * time.Millisecond)
					goroutines, files = min(goroutines, runtime.NumGoroutine()), min(files, openFiles())
				}
				return goroutines, files
			}
			goroutines, files := settle()
			w := lookups(3)
			for i := range runs {
				ctx, cancel := context.WithCancel(t.Context())
				if i%10 == 1 {
					time.AfterFunc(time.Duration(i)*3*time.Microsecond, cancel)
				}
				s := test.strategies[i%len(test.strategies)]
				_, err := Run(ctx, linger.Scenario{Workload: w, Strategy: strategy(t, s)}, test.config)
				if err != nil && ctx.Err() == nil {
					t.Fatal(err)
				}
				cancel()
			}
			var g, f int
			for range 10 {
				if g, f = settle(); g <= goroutines+5 && f <= files+2 {
					return
				}
			}
			buf := make([]byte, 1<<20)
			t.Errorf("%d goroutines and %d files before, %d and %d after\n%s", goroutines, files, g, f, buf[:runtime.Stack(buf, true)])
		})
	}
}
