package dns

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	wire "github.com/miekg/dns"

	"linger"
	"linger/internal/testall"
)

// TestQueriesSayWhatTheirTransportWants reads the bytes with the library.
func TestQueriesSayWhatTheirTransportWants(t *testing.T) {
	for _, test := range []struct {
		over              string
		id                uint16
		padded, keepalive bool
	}{
		{linger.OverUDP, 0x1234, false, false},
		{linger.OverTCP, 0x1234, false, true},
		{linger.OverTLS, 0x1234, true, true},
		{linger.OverHTTPS, 0, true, false},
		{linger.OverQUIC, 0, true, false},
	} {
		for _, q := range []linger.Query{{Name: ".", Type: "NS"}, {Name: "www.board.example", Type: "A"}, {Name: "a.example", Type: "TYPE65"},
			{Name: `a\.b\032c.example`, Type: "TXT"}, {Name: strings.Repeat("abcdefg.", 30) + "example", Type: "AAAA"}} {
			o := OptionsOver(test.over)
			o.ID = test.id
			b, err := Ask(q, o)
			if err != nil {
				t.Fatal(err)
			}
			m := new(wire.Msg)
			if err := m.Unpack(b); err != nil {
				t.Fatal(err)
			}
			if m.Id != test.id || m.Response || !m.RecursionDesired || m.Opcode != wire.OpcodeQuery || len(m.Question) != 1 || len(m.Answer)+len(m.Ns) > 0 {
				t.Errorf("%s over %s: %v", q, test.over, m)
			}
			if asked := m.Question[0]; canonical(asked.Name) != canonical(q.Name) || asked.Qclass != wire.ClassINET {
				t.Errorf("%s over %s asks %v", q, test.over, asked)
			}
			codes := map[uint16]int{}
			opt := m.IsEdns0()
			if opt == nil || opt.UDPSize() != 1232 || opt.Do() || len(m.Extra) != 1 {
				t.Fatalf("%s over %s: EDNS %v", q, test.over, opt)
			}
			for _, o := range opt.Option {
				codes[o.Option()]++
			}
			if codes[wire.EDNS0PADDING] != count(test.padded) || codes[wire.EDNS0TCPKEEPALIVE] != count(test.keepalive) || len(codes) != count(test.padded)+count(test.keepalive) {
				t.Errorf("%s over %s has the options %v", q, test.over, codes)
			}
			if test.padded != (len(b)%queryBlock == 0) {
				t.Errorf("%s over %s has %d bytes", q, test.over, len(b))
			}
			if read, err := Read(b); err != nil || !read.Asks(q) || read.Padded != test.padded || read.HasKeepalive != test.keepalive || !read.Keepalive.IsZero() {
				t.Errorf("%s over %s reads as %+v, %v", q, test.over, read, err)
			}
		}
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestPaddingReachesTheNextBlock has names of every length, so that in one the option
// alone fills the block.
func TestPaddingReachesTheNextBlock(t *testing.T) {
	sizes := map[int]bool{}
	for n := 1; n < 240; n++ {
		name := strings.TrimSuffix(strings.Repeat("abcdefghijklmno.", 16)[:n], ".")
		q := linger.Query{Name: name, Type: "A"}
		plain, err := Ask(q, Options{})
		if err != nil {
			t.Fatal(err)
		}
		full, _ := Ask(q, Options{Pad: true})
		if want := (len(plain) + 4 + 127) / 128 * 128; len(full) != want {
			t.Errorf("%d bytes are padded to %d, want %d", len(plain), len(full), want)
		}
		sizes[len(plain)%128] = true
	}
	if !sizes[124] {
		t.Error("no query leaves 124 bytes in its last block")
	}
}

func TestAskExplains(t *testing.T) {
	for kind, want := range map[string]string{
		"NONSENSE":  `there is no type of record "NONSENSE"`,
		"TYPE":      "there is no type",
		"TYPE65536": "there is no type",
		"TYPE-1":    "there is no type",
		"":          "there is no type",
	} {
		if _, err := Ask(linger.Query{Name: "a.example", Type: kind}, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", kind, err)
		}
	}
	if _, err := Ask(linger.Query{Name: "a..example", Type: "A"}, Options{}); err == nil || !strings.Contains(err.Error(), "cannot be asked for") {
		t.Errorf("an empty label: %v", err)
	}
}

// TestReplies has messages that may be the answer to a query, and others.
func TestReplies(t *testing.T) {
	q := linger.Query{Name: "www.example", Type: "A"}
	for _, test := range []struct {
		name   string
		change func(*wire.Msg)
		want   string // empty is an answer
	}{
		{"an answer", func(*wire.Msg) {}, ""},
		{"in another case", func(m *wire.Msg) { m.Question[0].Name = "WwW.eXample." }, ""},
		{"another ID", func(m *wire.Msg) { m.Id = 8 }, "the ID 8, not 7"},
		{"a query", func(m *wire.Msg) { m.Response = false }, "a query in place of an answer"},
		{"another name", func(m *wire.Msg) { m.Question[0].Name = "mail.example." }, "the answer to another question: mail.example A"},
		{"another type", func(m *wire.Msg) { m.Question[0].Qtype = wire.TypeAAAA }, "the answer to another question: www.example AAAA"},
		{"another class", func(m *wire.Msg) { m.Question[0].Qclass = wire.ClassCHAOS }, "one of another class"},
		{"two questions", func(m *wire.Msg) { m.Question = append(m.Question, m.Question[0]) }, "2 questions"},
		{"no question", func(m *wire.Msg) { m.Question = nil }, "0 questions"},
		{"no question, SERVFAIL", func(m *wire.Msg) { m.Question, m.Rcode = nil, wire.RcodeServerFailure }, ""},
		{"another question, SERVFAIL", func(m *wire.Msg) { m.Question[0].Name, m.Rcode = "x.", wire.RcodeServerFailure }, "another question"},
	} {
		m := new(wire.Msg).SetQuestion("www.example.", wire.TypeA)
		m.Id, m.Response = 7, true
		test.change(m)
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		read, err := Read(b)
		if err != nil {
			t.Fatal(err)
		}
		err = read.Replies(q, 7)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

// TestNamesCompareByWhatTheyStandFor has names that are written in several ways.
func TestNamesCompareByWhatTheyStandFor(t *testing.T) {
	for _, test := range []struct {
		asked, written string
		same           bool
	}{
		{`\097.example`, "a.example", true},
		{`\065.example`, "a.example", true},
		{`\a.example`, "a.example", true},
		{`a\.b.example`, `a\046b.example`, true},
		{`a\.b.example`, "a.b.example", false},
		{`a\\`, `a\092`, true},
		{"ä.example", "a.example", false},
	} {
		b, err := Ask(linger.Query{Name: test.asked, Type: "A"}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		m, _ := Read(b)
		if got := m.Asks(linger.Query{Name: test.written, Type: "A"}); got != test.same {
			t.Errorf("%s asks %s: %v", test.asked, test.written, got)
		}
	}
}

// TestReadIsNotMisled has bytes that are no message, or no whole one.
func TestReadIsNotMisled(t *testing.T) {
	q := linger.Query{Name: "www.example", Type: "A"}
	whole, err := Ask(q, OptionsOver(linger.OverTLS))
	if err != nil {
		t.Fatal(err)
	}
	const name = len("\x03www\x07example\x00")
	for n := range whole {
		m, err := Read(whole[:n])
		switch n - HeaderSize {
		case 0, name, name + 2, name + 4:
			// The library lets a message end behind its header and behind each part of a
			// question. What is missing is not made up.
			if asks := m.Asks(q); asks != (n == HeaderSize+name+4) {
				t.Errorf("the first %d bytes ask: %v", n, asks)
			}
		default:
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("the first %d of %d bytes are read: %v", n, len(whole), err)
			}
		}
	}
}

func TestRcodes(t *testing.T) {
	for code, want := range map[int]string{0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED", 16: "BADSIG", 3000: "RCODE3000"} {
		if got := Rcode(code); got != want {
			t.Errorf("%d is %s, want %s", code, got, want)
		}
		if Conclusive(code) != (code == 0 || code == 3) {
			t.Errorf("%s is conclusive: %v", want, Conclusive(code))
		}
	}
}

// TestTsharkReadsQueriesAsWeMeanThem has a program of others' decode the bytes.
func TestTsharkReadsQueriesAsWeMeanThem(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		testall.Lacks(t, "%v", err)
	}
	var file bytes.Buffer
	order := binary.LittleEndian
	file.Write(order.AppendUint32(order.AppendUint16(order.AppendUint16(order.AppendUint32(nil, 0xa1b2c3d4), 2), 4), 0))
	file.Write(order.AppendUint32(order.AppendUint32(order.AppendUint32(nil, 0), 1<<16), 101)) // packets begin with IP
	var want []string
	for _, test := range []struct{ over, says string }{
		{linger.OverUDP, "0x1234|www.board.example|1|1232||"},
		{linger.OverTCP, "0x1234|www.board.example|1|1232|11|0"},
		{linger.OverTLS, "0x1234|www.board.example|1|1232|11,12|0,74"},
		{linger.OverHTTPS, "0x0000|www.board.example|1|1232|12|78"},
	} {
		o := OptionsOver(test.over)
		if test.over != linger.OverHTTPS {
			o.ID = 0x1234
		}
		m, err := Ask(linger.Query{Name: "www.board.example", Type: "A"}, o)
		if err != nil {
			t.Fatal(err)
		}
		packet := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2}
		binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)+8+len(m)))
		packet = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(packet, 40000), 53)
		packet = append(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(packet, uint16(8+len(m))), 0), m...)
		file.Write(order.AppendUint32(order.AppendUint32(make([]byte, 8), uint32(len(packet))), uint32(len(packet))))
		file.Write(packet)
		want = append(want, test.says)
	}
	name := filepath.Join(t.TempDir(), "queries.pcap")
	if err := os.WriteFile(name, file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tshark, "-r", name, "-T", "fields", "-E", "separator=|", "-e", "dns.id", "-e", "dns.qry.name", "-e", "dns.qry.type",
		"-e", "dns.rr.udp_payload_size", "-e", "dns.opt.code", "-e", "dns.opt.len").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(out)); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// FuzzReplies says that what is taken for an answer bears the question, or says why
// it was not understood.
func FuzzReplies(f *testing.F) {
	q := linger.Query{Name: "www.example", Type: "A"}
	seeds(f, func(b []byte) { f.Add(b, "www.example") })
	answer, _ := Ask(q, Options{ID: 7, Pad: true})
	answer[2] |= 0x80
	f.Add(answer, "www.example")
	f.Add(answer[:HeaderSize], `\119ww.example`)
	f.Fuzz(func(t *testing.T, b []byte, name string) {
		m, _ := Read(b)
		q := linger.Query{Name: name, Type: "A"}
		if m.Replies(q, 7) != nil {
			return
		}
		if m.ID != 7 || !m.Response || !m.Asks(q) && (Rcode(m.Rcode) == "NOERROR" || m.Query != linger.Query{}) {
			t.Errorf("%x is taken for the answer to %q: %+v", b, name, m)
		}
	})
}

// A plain query has no OPT record, whatever else is asked of it.
func TestPlainQuery(t *testing.T) {
	b, err := Ask(linger.Query{Name: "www.example", Type: "A"}, Options{Plain: true, Keepalive: true, Pad: true})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Read(b)
	if err != nil || m.EDNS || m.Padded || m.HasKeepalive {
		t.Errorf("%v %+v", err, m)
	}
}
