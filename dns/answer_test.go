package dns

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	wire "github.com/miekg/dns"

	"linger"
	"linger/internal/testall"
)

// asked returns the message that a client has sent, as the server reads it.
func asked(t testing.TB, q linger.Query, o Options) Message {
	t.Helper()
	b, err := Ask(q, o)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// bareQuery is a query without EDNS.
func bareQuery(name string, kind uint16) []byte {
	m := new(wire.Msg).SetQuestion(name, kind)
	m.Id = 7
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

func unpack(t testing.TB, b []byte) *wire.Msg {
	t.Helper()
	m := new(wire.Msg)
	if err := m.Unpack(b); err != nil {
		t.Fatalf("the reply cannot be read: %v\n%x", err, b)
	}
	return m
}

func TestAnswersAreOfTheTypeThatIsAsked(t *testing.T) {
	for _, test := range []struct{ kind, want string }{
		{"A", "www.board.example.\t300\tIN\tA\t198.18.0.1"},
		{"AAAA", "www.board.example.\t300\tIN\tAAAA\t2001:db8::1"},
		{"MX", "www.board.example.\t300\tIN\tMX\t1 host.example."},
		{"NS", "www.board.example.\t300\tIN\tNS\thost.example."},
		{"PTR", "www.board.example.\t300\tIN\tPTR\thost.example."},
		{"SRV", "www.board.example.\t300\tIN\tSRV\t1 0 443 host.example."},
		{"CNAME", "www.board.example.\t300\tIN\tCNAME\tedge.example."},
		{"TXT", "www.board.example.\t300\tIN\tTXT\t\"linger\""},
		{"HTTPS", "www.board.example.\t300\tIN\tHTTPS\t1 . alpn=\"h2,h3\""},
		{"SVCB", "www.board.example.\t300\tIN\tSVCB\t1 . alpn=\"h2,h3\""},
		{"SOA", "www.board.example.\t300\tIN\tSOA\tns.example. hostmaster.example. 1 3600 600 86400 60"},
		{"ANY", "www.board.example.\t300\tIN\tHINFO\t\"RFC8482\" \"\""},
	} {
		r := asked(t, linger.Query{Name: "www.board.example", Type: test.kind}, Options{ID: 9}).Reply(Answer{})
		m := unpack(t, r.Message)
		if len(m.Answer) != 1 || m.Answer[0].String() != test.want {
			t.Errorf("%s: %v", test.kind, m.Answer)
		}
		if !m.Authoritative || !m.Response || m.Truncated || m.RecursionAvailable || !m.RecursionDesired || m.Id != 9 || m.IsEdns0() == nil || r.TTL != 300*time.Second {
			t.Errorf("%s: %v, kept for %v", test.kind, m, r.TTL)
		}
	}
}

// TestAnswersHaveTheSizeThatIsSet tries every size up to 3000 bytes, and some near
// the end of what there can be.
func TestAnswersHaveTheSizeThatIsSet(t *testing.T) {
	var sizes []int
	for n := 0; n < 3000; n += testall.Of(1, 7) {
		sizes = append(sizes, n)
	}
	sizes = append(sizes, 4096, 16383, 16384, 16400, 32768, 65000, 65530, 65531, 65532, 65533, 65534, 65535)
	// How far above the shortest answer sizes begin that are all reached to the byte;
	// between, the next one that is reached is so much longer at most.
	for _, test := range []struct {
		kind          string
		all, furthest int
	}{
		{"A", 16, 15}, {"AAAA", 16, 15}, {"TXT", 0, 0}, {"MX", 0, 0}, {"NS", 0, 0}, {"PTR", 0, 0}, {"SRV", 0, 0}, {"HTTPS", 0, 0}, {"SVCB", 0, 0},
	} {
		for _, name := range []string{"www.board.example", "example", "."} {
			for _, edns := range []bool{true, false} {
				q := asked(t, linger.Query{Name: name, Type: test.kind}, Options{})
				if !edns {
					q.msg.Extra, q.EDNS = nil, false
				}
				shortest := len(q.Reply(Answer{}).Message)
				for _, size := range sizes {
					r := q.Reply(Answer{Size: size})
					got, most := len(r.Message), max(size, shortest)
					if size > shortest && size < shortest+test.all {
						most += test.furthest
					}
					if got < max(size, shortest) || got > most {
						t.Errorf("%s %s, %d bytes (shortest %d): %d", name, test.kind, size, shortest, got)
					}
					if r.Truncated {
						t.Errorf("%s %s, %d bytes: truncated", name, test.kind, size)
					}
				}
			}
		}
	}
}

func TestAnswersOfAnySizeHaveRecordsThatDiffer(t *testing.T) {
	for _, kind := range []string{"A", "AAAA", "MX", "NS", "PTR", "SRV"} {
		for _, size := range []int{500, 1500, 65535} {
			m := unpack(t, asked(t, linger.Query{Name: "www.board.example", Type: kind}, Options{}).Reply(Answer{Size: size}).Message)
			seen := map[string]bool{}
			owner := "www.board.example."
			for _, rr := range m.Answer {
				if rr.Header().Name != owner {
					t.Fatalf("%s: a record of %s, where %s was asked for", kind, rr.Header().Name, owner)
				}
				if c, ok := rr.(*wire.CNAME); ok {
					owner = c.Target
				}
				if seen[rr.String()] {
					t.Fatalf("%s, %d bytes: %v stands twice", kind, size, rr)
				}
				seen[rr.String()] = true
			}
		}
	}
}

func TestTruncation(t *testing.T) {
	const name = "www.board.example."
	edns := func(size uint16) []byte {
		m := new(wire.Msg).SetQuestion(name, wire.TypeA)
		m.SetEdns0(size, false)
		b, _ := m.Pack()
		return b
	}
	for _, test := range []struct {
		what     string
		query    []byte
		size     int
		datagram bool
		want     bool
	}{
		{"512 without EDNS", bareQuery(name, wire.TypeA), 512, true, false},
		{"513 without EDNS", bareQuery(name, wire.TypeA), 513, true, true},
		{"1232 where the client takes 1232", edns(1232), 1232, true, false},
		{"1233 where the client takes 1232", edns(1232), 1233, true, true},
		{"1233 where the client takes 4096", edns(4096), 1233, true, true},
		{"600 where the client takes 599", edns(599), 600, true, true},
		{"512 where the client says 100", edns(100), 512, true, false},
		{"65535 over TCP", edns(512), 65535, false, false},
	} {
		q, err := Read(test.query)
		if err != nil {
			t.Fatal(err)
		}
		a := Answer{Size: test.size, Datagram: test.datagram}
		if test.datagram {
			a.Limit = UDPSize
		}
		r := q.Reply(a)
		m := unpack(t, r.Message)
		if r.Truncated != test.want || m.Truncated != test.want {
			t.Errorf("%s: truncated %v and %v", test.what, r.Truncated, m.Truncated)
		}
		if test.want && (len(m.Answer) > 0 || len(r.Message) > 100) || !test.want && len(r.Message) != test.size {
			t.Errorf("%s: %d bytes, %d answers", test.what, len(r.Message), len(m.Answer))
		}
	}
}

func TestPaddingIsAnsweredWithBlocksOf468(t *testing.T) {
	q := linger.Query{Name: "www.board.example", Type: "A"}
	for _, test := range []struct{ size, want int }{{0, 468}, {463, 468}, {464, 468}, {465, 936}, {900, 936}, {20_000, 20_124}, {65_000, 65_052}, {65_053, 65_520}, {65_521, 65_535}, {65_531, 65_535}, {65_532, 65_532}, {65_535, 65_535}} {
		padded := asked(t, q, Options{Pad: true})
		r := padded.Reply(Answer{Pad: true, Size: test.size})
		if len(r.Message) != test.want {
			t.Errorf("%d bytes are padded to %d, want %d", test.size, len(r.Message), test.want)
		}
		if n := len(padded.Reply(Answer{Size: test.size}).Message); test.size > 100 && n != test.size {
			t.Errorf("cleartext is padded: %d bytes", n)
		}
		if n := len(asked(t, q, Options{}).Reply(Answer{Pad: true, Size: test.size}).Message); test.size > 100 && n != test.size {
			t.Errorf("the answer to a query without padding is padded: %d bytes", n)
		}
	}
}

func TestKeepaliveIsAnsweredWhereItIsAsked(t *testing.T) {
	q := linger.Query{Name: "www.board.example", Type: "A"}
	for _, test := range []struct {
		limit linger.Opt[time.Duration]
		ask   bool
		want  string
	}{
		{linger.Known(10 * time.Second), true, "0064"},
		{linger.Known(time.Duration(0)), true, "0000"},
		{linger.Known(time.Hour * 1000), true, "ffff"},
		{linger.Known(199 * time.Millisecond), true, "0001"},
		{linger.Known(10 * time.Second), false, ""},
		{linger.Opt[time.Duration]{}, true, ""},
	} {
		r := asked(t, q, Options{Keepalive: test.ask}).Reply(Answer{Keepalive: test.limit})
		got := ""
		// Code 11, its length, and what it holds.
		if i := strings.Index(string(r.Message), "\x00\x0b\x00\x02"); i > 0 {
			got = fmt.Sprintf("%x", r.Message[i+4:i+6])
		}
		if got != test.want {
			t.Errorf("%v: %q, want %q", test.limit, got, test.want)
		}
		if m, err := Read(r.Message); err != nil || test.want != "" && m.Keepalive == (linger.Opt[time.Duration]{}) {
			t.Errorf("%v: read as %v, %v", test.limit, m.Keepalive, err)
		}
	}
}

func testZone(t testing.TB) *Zone {
	t.Helper()
	w, err := linger.ParseNames("test", strings.NewReader(`
www.board.example A
www.board.example AAAA
deep.down.board.example TXT
www.board.example A
odd.other TYPE65400
`))
	if err != nil {
		t.Fatal(err)
	}
	z, err := NewZone(w)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestZone(t *testing.T) {
	z := testZone(t)
	query := func(name string, kind uint16, change ...func(*wire.Msg)) []byte {
		m := new(wire.Msg).SetQuestion(name, kind)
		for _, f := range change {
			f(m)
		}
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	edns := func(version uint8) func(*wire.Msg) {
		return func(m *wire.Msg) { m.SetEdns0(1232, true); m.IsEdns0().SetVersion(version) }
	}
	for _, test := range []struct {
		what     string
		query    []byte
		exchange int
		rcode    int
		answers  int
		soa      bool
	}{
		{"a name of the workload", query("www.board.example.", wire.TypeA), 0, wire.RcodeSuccess, 1, false},
		{"in capitals", query("WWW.Board.Example.", wire.TypeAAAA), 1, wire.RcodeSuccess, 1, false},
		{"of another type", query("www.board.example.", wire.TypeMX), -1, wire.RcodeSuccess, 0, true},
		{"of a type without an answer", query("odd.other.", 65400), 4, wire.RcodeSuccess, 0, true},
		{"of any type", query("www.board.example.", wire.TypeANY), -1, wire.RcodeSuccess, 1, false},
		{"between a name and its domain", query("down.board.example.", wire.TypeA), -1, wire.RcodeSuccess, 0, true},
		{"beside it", query("no.board.example.", wire.TypeA), -1, wire.RcodeNameError, 0, true},
		{"elsewhere", query("www.elsewhere.example.", wire.TypeA), -1, wire.RcodeRefused, 0, false},
		{"the root", query(".", wire.TypeNS), -1, wire.RcodeRefused, 0, false},
		{"a zone transfer", query("board.example.", wire.TypeAXFR), -1, wire.RcodeRefused, 0, false},
		{"another class", query("www.board.example.", wire.TypeA, func(m *wire.Msg) { m.Question[0].Qclass = wire.ClassCHAOS }), -1, wire.RcodeRefused, 0, false},
		{"an update", query("board.example.", wire.TypeSOA, func(m *wire.Msg) { m.Opcode = wire.OpcodeUpdate }), -1, wire.RcodeNotImplemented, 0, false},
		{"two questions", query("www.board.example.", wire.TypeA, func(m *wire.Msg) { m.Question = append(m.Question, m.Question[0]) }), -1, wire.RcodeFormatError, 0, false},
		{"no question", query("www.board.example.", wire.TypeA, func(m *wire.Msg) { m.Question = nil }), -1, wire.RcodeFormatError, 0, false},
		{"EDNS of version 1", query("www.board.example.", wire.TypeA, edns(1)), -1, wire.RcodeBadVers, 0, false},
		{"two OPT records", query("www.board.example.", wire.TypeA, edns(0), func(m *wire.Msg) { m.Extra = append(m.Extra, m.Extra[0]) }), -1, wire.RcodeFormatError, 0, false},
		{"cut in the question", query("www.board.example.", wire.TypeA)[:20], -1, wire.RcodeFormatError, 0, false},
		{"a header alone", query("www.board.example.", wire.TypeA)[:12], -1, wire.RcodeFormatError, 0, false},
	} {
		q, unread := Read(test.query)
		if !q.IsQuery() {
			t.Errorf("%s: no query", test.what)
			continue
		}
		i, a := z.Find(q, unread)
		r := q.Reply(a)
		m := unpack(t, r.Message)
		soa := len(m.Ns) == 1 && m.Ns[0].Header().Rrtype == wire.TypeSOA
		if i != test.exchange || r.Rcode != test.rcode || m.Rcode != test.rcode || len(m.Answer) != test.answers || soa != test.soa {
			t.Errorf("%s: exchange %d\n%v", test.what, i, m)
		}
		if soa && (r.TTL != 60*time.Second || !m.Authoritative) || !soa && m.Rcode != 0 && (r.TTL != 0 || m.Authoritative) {
			t.Errorf("%s: kept for %v\n%v", test.what, r.TTL, m)
		}
		if q.EDNS != (m.IsEdns0() != nil) || q.EDNS && !m.IsEdns0().Do() {
			t.Errorf("%s: OPT %v", test.what, m.IsEdns0())
		}
	}
	for _, b := range [][]byte{nil, {1, 2, 3}, query("www.board.example.", wire.TypeA)[:11], query("www.board.example.", wire.TypeA, func(m *wire.Msg) { m.Response = true })} {
		if q, _ := Read(b); q.IsQuery() {
			t.Errorf("%x: taken for a query", b)
		}
	}
}

// seeds are messages of every kind that is told apart.
func seeds(f *testing.F, add func([]byte)) {
	for _, o := range []Options{{}, {ID: 1, Pad: true}, {ID: 65535, Keepalive: true, Pad: true}} {
		for _, q := range []linger.Query{{Name: "www.board.example", Type: "A"}, {Name: ".", Type: "NS"}, {Name: strings.Repeat("x.", 126) + "x", Type: "TXT"}, {Name: `a\.b.\255.board.example`, Type: "TYPE65400"}} {
			b, err := Ask(q, o)
			if err != nil {
				f.Fatal(err)
			}
			add(b)
			add(b[:len(b)/2])
			m, _ := Read(b)
			add(m.Reply(Answer{Size: 700, Pad: true}).Message)
		}
	}
	for _, kind := range []uint16{wire.TypeA, wire.TypeAAAA, wire.TypeMX, wire.TypeSRV, wire.TypeTXT, wire.TypeHTTPS, wire.TypeANY, wire.TypeAXFR} {
		add(bareQuery("www.board.example.", kind))
	}
	add(nil)
	add(make([]byte, 12))
	lying := bareQuery("www.board.example.", wire.TypeA)
	binary.BigEndian.PutUint16(lying[4:], 65535)
	add(lying)
	// A name that points to itself.
	add(slices.Concat(bareQuery(".", wire.TypeA)[:12], []byte{0xc0, 12, 0, 1, 0, 1}))
}

func FuzzRead(f *testing.F) {
	seeds(f, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Read(b)
		m.Asks(linger.Query{Name: "www.board.example", Type: "A"})
		_ = m.Replies(linger.Query{Name: "www.board.example", Type: "A"}, 1)
		if err == nil && len(b) < HeaderSize {
			t.Errorf("%x is too short for a header", b)
		}
		if m.Query != (linger.Query{}) {
			// What has been read can be asked again, but for types of OPT's kind.
			if again, err := Ask(m.Query, Options{}); err == nil {
				if n, err := Read(again); err != nil || !n.Asks(m.Query) {
					t.Errorf("%v reads as %v, %v", m.Query, n.Query, err)
				}
			}
		}
	})
}

func FuzzReply(f *testing.F) {
	seeds(f, func(b []byte) {
		f.Add(b, uint16(0), false, false, uint16(0))
		f.Add(b, uint16(1500), true, true, uint16(100))
	})
	z := testZone(f)
	f.Fuzz(func(t *testing.T, b []byte, size uint16, datagram, pad bool, keepalive uint16) {
		q, unread := Read(b)
		if !q.IsQuery() {
			return
		}
		zone := z
		for range 2 {
			_, a := zone.Find(q, unread)
			a.Size, a.Datagram, a.Pad = int(size), datagram, pad
			a.Keepalive = linger.Known(time.Duration(keepalive) * time.Millisecond)
			limit := linger.MaxMessage
			if datagram {
				a.Limit = UDPSize
				limit = UDPSize
				if !q.EDNS {
					limit = leastUDP
				}
			}
			r := q.Reply(a)
			m, err := Read(r.Message)
			if err != nil || !m.Response || m.ID != q.ID {
				t.Fatalf("%v, %v", m, err)
			}
			if len(r.Message) > limit && !(datagram && pad) {
				t.Errorf("%d bytes, %d are possible", len(r.Message), limit)
			}
			if len(q.msg.Question) == 1 && r.Rcode != wire.RcodeServerFailure {
				if len(m.msg.Question) != 1 || m.msg.Question[0] != q.msg.Question[0] {
					t.Errorf("%v is answered as %v", q.msg.Question, m.msg.Question)
				}
			}
			if m.Truncated && !datagram && int(size)+600 < linger.MaxMessage {
				t.Errorf("truncated over a stream: %d bytes", size)
			}
			// Once more for the name as one of the workload.
			if len(q.msg.Question) != 1 || unread != nil {
				return
			}
			zone = &Zone{exchanges: map[question]int{{wire.CanonicalName(q.msg.Question[0].Name), q.msg.Question[0].Qtype}: 0}}
		}
	})
}

// An option without TIMEOUT names no limit; one of 0 names the shortest.
func TestEmptyKeepaliveNamesNoLimit(t *testing.T) {
	q := linger.Query{Name: "www.board.example", Type: "A"}
	full := asked(t, q, Options{Keepalive: true}).Reply(Answer{Keepalive: linger.Known(time.Duration(0))}).Message
	i := strings.Index(string(full), "\x00\x0b\x00\x02\x00\x00")
	if i < 2 {
		t.Fatalf("no option in %x", full)
	}
	empty := append([]byte(nil), full[:i]...)
	empty = append(empty, 0, 11, 0, 0)
	empty = append(empty, full[i+6:]...)
	empty[i-1] -= 2 // the length of what OPT holds
	for _, test := range []struct {
		message []byte
		want    linger.Opt[time.Duration]
	}{{full, linger.Known(time.Duration(0))}, {empty, linger.Opt[time.Duration]{}}} {
		m, err := Read(test.message)
		if err != nil || !m.HasKeepalive || m.Keepalive != test.want {
			t.Errorf("%x: %v %v, %v", test.message, m.HasKeepalive, m.Keepalive, err)
		}
	}
}
