package text

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/compare"
	"linger/compare/difference"
	"linger/compare/times"
	"linger/finding"
	"linger/internal/results"
	"linger/internal/textbook"
	"linger/report/terminal"
	"linger/report/trial"
	"linger/trace"
)

func findings(t testing.TB, name string) compare.Findings { return results.Findings(t, "../..", name) }

func ms(n float64) linger.Instant { return linger.Instant(n * 1e6) }

// conn is a connection that was dialled, connected and closed at these ms; a
// negative instant was not reached.
func conn(id int, dialled, connected, closed float64, by trace.Peer, requests int) trace.Connection {
	c := trace.Connection{ID: int64(id), Dialled: ms(dialled), ClosedBy: by, Requests: requests}
	if connected >= 0 {
		c.Connected = linger.Known(ms(connected))
	}
	if closed >= 0 {
		c.Closed = linger.Known(ms(closed))
	}
	return c
}

// exch is an exchange with its instants in ms.
func exch(id int, on int64, url string, queued, sent, first, done float64, size int64) trace.Exchange {
	e := trace.Exchange{ID: id, Method: "GET", URL: url, Connection: on, Attempts: 1, Status: 200, Queued: ms(queued), ResponseBody: size}
	for _, s := range []struct {
		at float64
		to *linger.Opt[linger.Instant]
	}{{sent, &e.Sent}, {first, &e.FirstByte}, {done, &e.Done}} {
		if s.at >= 0 {
			*s.to = linger.Known(ms(s.at))
		}
	}
	return e
}

func closing(n int) *trace.Trace {
	t := &trace.Trace{Workload: "gallery"}
	for i := range n {
		at := 160 * float64(i)
		t.Connections = append(t.Connections, conn(i, at, at+70, at+160, trace.AtServer, 1))
		t.Exchanges = append(t.Exchanges, exch(i, int64(i), fmt.Sprintf("http://origin/images/%02d.jpg", i), min(at, 160), at+70, at+141.25, at+160, 14_000))
	}
	t.Ended = ms(160 * float64(n))
	return t
}

// secure is a connection over TLS, or QUIC where TCP was not established.
func secure(c trace.Connection, protocol linger.Protocol, established float64, resumed bool) trace.Connection {
	c.Protocol, c.Secured = protocol, c.Connected
	c.TLS = linger.Known(trace.TLS{Version: "1.3", ALPN: protocol.ALPN(), Resumed: resumed})
	if c.Established = linger.Known(ms(established)); protocol == "h3" {
		c.Established, c.QUIC = linger.Opt[linger.Instant]{}, linger.Known(trace.QUIC{Version: "1"})
	}
	return c
}

// multiplexing is a page, and 40 images that come at once on the same connection.
func multiplexing(c trace.Connection) *trace.Trace {
	t := &trace.Trace{Workload: "gallery", Connections: []trace.Connection{c}}
	began := c.Connected.Or(0).Milliseconds()
	t.Exchanges = append(t.Exchanges, exch(0, 0, "https://origin/", 0, began, began+72, began+140, 43_008))
	for i := range 40 {
		size := 3000 + i*7919%23_000
		t.Exchanges = append(t.Exchanges, exch(i+1, 0, fmt.Sprintf("https://origin/images/%02d.jpg", i), began+100, began+100, began+172+float64(i), began+180+float64(size)/23_000*250+float64(i), int64(size)))
	}
	for _, e := range t.Exchanges {
		t.Ended = max(t.Ended, e.Done.Or(0))
	}
	return t
}

var traces = map[string]*trace.Trace{
	"h2": multiplexing(secure(conn(0, 0, 142, -1, trace.Nobody, 41), "h2", 70, false)),
	"0rtt": func() *trace.Trace {
		c := secure(conn(0, 0, 71, -1, trace.Nobody, 41), "h3", 0, true)
		c.Connected = linger.Known(ms(1))
		return multiplexing(c)
	}(),
	"mixed": {Workload: "gallery", Ended: ms(600), Connections: []trace.Connection{
		secure(conn(0, 0, 140, 600, trace.AtServer, 1), "http/1.1", 70, false), secure(conn(1, 200, 340, 600, trace.AtClient, 2), "h2", 270, true),
		{ID: 2, Dialled: ms(10), Established: linger.Known(ms(80)), Closed: linger.Known(ms(300)), ClosedBy: trace.AtServer}},
		Exchanges: []trace.Exchange{
			exch(0, 0, "https://origin/", 0, 140, 212, 240, 42_000), exch(1, 1, "https://origin/a.jpg", 200, 340, 412, 500, 9_000),
			exch(2, 1, "https://origin/b.jpg", 200, 340, 420, 600, 12_345)}},
	"close": closing(41),
	"keep2": {Workload: "gallery", Ended: ms(640),
		Connections: []trace.Connection{conn(3, 0, 70, -1, trace.Nobody, 3), conn(9, 250, 320, 520, trace.AtServer, 1)},
		Exchanges: []trace.Exchange{
			exch(0, 3, "http://origin/", 0, 70, 140, 250, 42_000), exch(1, 3, "http://origin/a.jpg", 180, 250, 320, 360, 9_000),
			exch(2, 9, "http://origin/b.jpg", 180, 320, 391, 410, 12_345), exch(3, 3, "http://origin/c.jpg", 180, 360, 430, 640, 160_000)}},
	"pipeline": {Workload: "api", Ended: ms(300), Connections: []trace.Connection{conn(0, 0, 70, 300, trace.AtClient, 4)},
		Exchanges: []trace.Exchange{
			exch(0, 0, "http://origin/1", 0, 70, 140, 180, 1000), exch(1, 0, "http://origin/2", 0, 70, 180, 220, 1000),
			exch(2, 0, "http://origin/3", 0, 70, 220, 260, 1000), exch(3, 0, "http://origin/4", 0, 70, 260, 300, 1000)}},
	"failing": {Workload: "https://example.com/a/rather/long/address/of/a/page/that/does/not/fit/into/a/line", Ended: ms(5000.5),
		Connections: []trace.Connection{conn(0, 0, -1, 1000, trace.AtClient, 0), conn(1, 1000, 1030, 1500, trace.AtServer, 2)},
		Exchanges: []trace.Exchange{
			exch(0, 1, "http://example.com/a/rather/long/path/to/an/image/with\x1b[31m/colour.jpg", 0, 1030, 1100, -1, 77),
			{ID: 1, Method: "POST", URL: "nonsense", Connection: -1, Queued: ms(3)}}},
	"udp": {Workload: "dns", Ended: ms(220), Connections: []trace.Connection{
		look(0, "udp", 0, 0, 71), look(1, "udp", 71, 71, 149), look(2, "tcp", 149, 149+71, 220)},
		Exchanges: []trace.Exchange{
			ask(0, 0, "www.example", "NOERROR", 0, 0, 71), ask(1, 1, "nosuch.example", "NXDOMAIN", 71, 71, 149), ask(2, 2, "long.example", "NOERROR", 71, 149, 220)}},
	"doq": {Workload: "dns", Ended: ms(142), Connections: []trace.Connection{look(0, "doq", 0, 71, 142)},
		Exchanges: []trace.Exchange{
			ask(0, 0, "www.example", "NOERROR", 0, 71, 142), ask(1, 0, "img.example", "NOERROR", 0, 71, 142)}},
	"empty": {},
}

// look is what carries a look-up, and ask the look-up itself.
func look(id int, protocol linger.Protocol, dialled, connected, closed float64) trace.Connection {
	c := conn(id, dialled, connected, closed, trace.AtClient, 1)
	c.Protocol, c.Established = protocol, linger.Opt[linger.Instant]{}
	return c
}

func ask(id int, on int64, name, rcode string, queued, sent, done float64) trace.Exchange {
	e := exch(id, on, "dns://origin/"+name+"?type=A", queued, sent, done, done, 62)
	e.Method, e.Status, e.Rcode, e.Truncated = "A", 0, rcode, strings.HasPrefix(name, "long")
	return e
}

func init() {
	traces["failing"].Exchanges[0].Failed = "the server closed in mid-response"
}

func ledger() trace.Ledger {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	return trace.Ledger{Connections: []trace.Flows{
		{Protocol: "tcp", Client: "10.0.0.1:40002", Server: "10.0.1.1:8080", First: at(305), Last: at(612), ClosedBy: trace.AtServer,
			Up:   trace.Flow{Packets: 12, Header: 632, Payload: 240, SYN: 1, FIN: 1},
			Down: trace.Flow{Packets: 41, Header: 2140, Payload: 56_000, SYN: 1, FIN: 1, Retransmitted: 2, RetransmittedBytes: 2896}},
		{Protocol: "tcp", Client: "10.0.0.1:40000", Server: "10.0.1.1:8080", First: at(0), Last: at(290), ClosedBy: trace.AtClient,
			Up: trace.Flow{Packets: 6, Header: 320, Payload: 120, SYN: 1, RST: 1}, Down: trace.Flow{Packets: 5, Header: 268, Payload: 1500, SYN: 1}},
		{Protocol: "tcp", Client: "10.0.0.1:40004", Server: "[fd00:1234:5678:9abc::17]:443", First: at(700), Last: at(700),
			Up: trace.Flow{Packets: 1, Header: 80, SYN: 1}},
		{Protocol: "udp", Client: "10.0.0.1:5353", Server: "10.0.1.1:53", First: at(1), Last: at(2),
			Up: trace.Flow{Packets: 1, Header: 28, Payload: 40}, Down: trace.Flow{Packets: 1, Header: 28, Payload: 120}},
		{Protocol: "udp", Client: "10.0.0.1:40006", Server: "10.0.1.1:443", First: at(710), Last: at(930),
			Up:   trace.Flow{Packets: 14, Header: 392, Payload: 3900, Initial: 2},
			Down: trace.Flow{Packets: 31, Header: 868, Payload: 33_000, Initial: 1}},
		{Protocol: "udp", Client: "10.0.0.1:40008", Server: "10.0.1.1:444", First: at(720), Last: at(1720),
			Up: trace.Flow{Packets: 3, Header: 84, Payload: 3756, Initial: 3}},
		{Protocol: "icmp", Client: "10.0.0.1", Server: "10.0.1.1", First: at(0), Last: at(0), Up: trace.Flow{Packets: 1, Header: 84}},
	}}
}

func outputs(t testing.TB) map[string]func(io.Writer) error {
	again := Options{Version: "0.1.0", Command: "linger compare gallery --network lte --trials 5 --seed 1"}
	out := map[string]func(io.Writer) error{
		"secure-60": func(w io.Writer) error {
			return Compare(w, findings(t, "secure"), Options{Screen: terminal.Screen{Width: 60}})
		},
		"dns-60": func(w io.Writer) error {
			return Compare(w, findings(t, "dns"), Options{Screen: terminal.Screen{Width: 60}})
		},
		"gallery-color": func(w io.Writer) error {
			return Compare(w, findings(t, "gallery"), Options{Screen: terminal.Screen{Color: true}, Version: "0.1.0"})
		},
		"gallery-120": func(w io.Writer) error {
			return Compare(w, findings(t, "gallery"), Options{Screen: terminal.Screen{Width: 120}})
		},
		"gallery-60": func(w io.Writer) error {
			return Compare(w, findings(t, "gallery"), Options{Screen: terminal.Screen{Width: 20}})
		},
		"waterfall-close-60": func(w io.Writer) error {
			return Waterfall(w, traces["close"], Options{Screen: terminal.Screen{Width: 60}})
		},
		"ledger-quic": func(w io.Writer) error {
			l := ledger()
			l.Connections = l.Connections[4:]
			return Ledger(w, l, nil, nil, Options{})
		},
		"ledger": func(w io.Writer) error {
			return Ledger(w, ledger(), map[string]int{"10.0.0.1:40000": 3}, nil, Options{})
		},
		"difference": func(w io.Writer) error { return Difference(w, changedFindings(t), Options{}) },
		"ledger-one": func(w io.Writer) error {
			l := ledger()
			l.Connections = l.Connections[:2]
			return Ledger(w, l, nil, nil, Options{})
		},
		"ledger-relayed": func(w io.Writer) error {
			l := ledger()
			l.Connections = l.Connections[:2]
			return Ledger(w, l, nil, []trial.Relayed{
				{Server: "example.com:443", Connections: 2, Datagrams: 1, ConnectMS: linger.Known(trial.Spread{Median: 21.04, Low: 20.9, High: 34})},
				{Server: "127.0.0.1:8080", Connections: 1, ConnectMS: linger.Known(trial.Spread{Median: 0.071, Low: 0.071, High: 0.071}), Failed: 2, Reason: "connection refused"},
				{Server: "127.0.0.1:9090"},
			}, Options{})
		},
		"ledger-empty": func(w io.Writer) error { return Ledger(w, trace.Ledger{Overflow: 7}, nil, nil, Options{}) },
	}
	for _, name := range []string{"gallery", "doubtful", "live", "nothing", "secure", "https", "stopped", "lossy", "refused", "dns"} {
		out[name] = func(w io.Writer) error { return Compare(w, findings(t, name), again) }
	}
	for name, tr := range traces {
		out["waterfall-"+name] = func(w io.Writer) error { return Waterfall(w, tr, Options{}) }
	}
	return out
}

func TestGolden(t *testing.T) {
	for name, write := range outputs(t) {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := write(&b); err != nil {
				t.Fatal(err)
			}
			results.Golden(t, name, b.String())
		})
	}
}

func TestEveryOutputFits(t *testing.T) {
	for name, write := range outputs(t) {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		for _, bad := range []string{"NaN", "Inf", "%!", "null"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s prints %q", name, bad)
			}
		}
		columns := 80
		switch {
		case strings.HasSuffix(name, "-60"):
			columns = 60
		case strings.HasSuffix(name, "-120"):
			columns = 120
		case strings.Contains(name, "color"):
			continue
		}
		for line := range strings.SplitSeq(text, "\n") {
			if n := terminal.Width(line); n > columns {
				t.Errorf("%s prints a line of %d columns:\n%s", name, n, line)
			}
			if strings.TrimRight(line, " ") != line {
				t.Errorf("%s prints spaces at the end of %q", name, line)
			}
			if strings.ContainsAny(line, "\x1b\t\r") {
				t.Errorf("%s prints a control character in %q", name, line)
			}
		}
	}
}

// Colour says nothing that the text does not.
func TestColorIsOnlyColor(t *testing.T) {
	var with, without bytes.Buffer
	f := findings(t, "gallery")
	if err := errors.Join(Compare(&with, f, Options{Screen: terminal.Screen{Color: true}}), Compare(&without, f, Options{})); err != nil {
		t.Fatal(err)
	}
	s := with.String()
	for _, st := range []terminal.Style{"0", terminal.Bold, terminal.Faint, terminal.Green} {
		s = strings.ReplaceAll(s, "\x1b["+string(st)+"m", "")
	}
	if s != without.String() {
		t.Errorf("with colour it reads\n%s\nwithout\n%s", s, &without)
	}
}

func TestWaterfallDrawsPhasesAsLongAsTheyLast(t *testing.T) {
	c := conn(0, 0, 100, 1000, trace.AtClient, 1)
	e := []trace.Exchange{exch(0, 0, "/", 0, 300, 500, 800, 1)}
	got := lane(c, e, ms(1000), 20, 0)
	if want := "▒▒····1───██████····"; got != want {
		t.Errorf("drew %q; want %q", got, want)
	}
	// What is shorter than a column is still seen.
	if got := lane(conn(0, 1, 1.5, 1000, "", 1), []trace.Exchange{exch(0, 0, "/", 0, 999, 999.5, 1000, 1)}, ms(1000), 10, 0); got != "▒········█" {
		t.Errorf("drew %q", got)
	}
}

func TestProgress(t *testing.T) {
	for _, test := range []struct {
		done, failed int
		want         string
	}{
		{0, 0, strings.Repeat("░", 30) + " 0 of 56 trials, 0 s, 20 s to go"},
		{28, 0, strings.Repeat("█", 15) + strings.Repeat("░", 15) + " 28 of 56 trials, 10 s, 9 s to go"},
		{56, 2, strings.Repeat("█", 30) + " 56 of 56 trials, 20 s, 2 failed"},
	} {
		var rest time.Duration
		if test.done < 56 {
			rest = 20*time.Second - time.Duration(test.done)*390*time.Millisecond
		}
		got := Progress("trial", test.done, test.failed, 56, time.Duration(test.done)*20*time.Second/56, rest, Options{})
		if got != test.want || terminal.Width(got) > 79 {
			t.Errorf("Progress(%d) = %q; want %q", test.done, got, test.want)
		}
	}
	for _, test := range []struct {
		columns int
		want    string
	}{
		{60, "███████▎░░░░░░ 1000 of 2000 trials, 600 s, 900 s to go, 3 failed"},
		{50, "████░░░░ 1000 of 2000 trials, 900 s to go, 3 failed"},
		{40, "████░░░ 1000/2000, 900 s to go, 3 failed"},
		{20, "█░ 1000/2000"},
		{5, ""},
	} {
		got := Progress("trial", 1000, 3, 2000, 600*time.Second, 900*time.Second, Options{Screen: terminal.Screen{Width: test.columns}})
		if terminal.Width(got) >= test.columns || strings.TrimLeft(got, "█▏▎▍▌▋▊▉░") != strings.TrimLeft(test.want, "█▏▎▍▌▋▊▉░") {
			t.Errorf("in %d columns it is %q; want %q", test.columns, got, test.want)
		}
	}
	for columns := range 90 {
		for _, total := range []int{0, 1, 56, 100_000} {
			if got := Progress("trial", total/2, total/4, total, time.Hour, time.Hour, Options{Screen: terminal.Screen{Width: columns + 1}}); terminal.Width(got) > columns {
				t.Errorf("in %d columns it is %q", columns+1, got)
			}
		}
	}
	if got := Progress("trial", 0, 0, 0, 0, 0, Options{Screen: terminal.Screen{Width: 60}}); strings.Contains(got, "NaN") {
		t.Error(got)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAFullDiskIsAnError(t *testing.T) {
	for name, write := range outputs(t) {
		if write(broken{}) == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("close:6", "http://origin/\x1b[2J", int64(5), int64(3))
	f.Fuzz(func(t *testing.T, name, url string, a, b int64) {
		tr := &trace.Trace{Workload: name, Ended: linger.Instant(a % 1e15),
			Connections: []trace.Connection{{Dialled: linger.Instant(b), Connected: linger.Known(linger.Instant(a))}, {ID: 1, Dialled: linger.Instant(a)}},
			Exchanges:   []trace.Exchange{{URL: url, Method: name, Sent: linger.Known(linger.Instant(b)), Queued: linger.Instant(a), Failed: url}, {ID: 1, Connection: 1, URL: url, Sent: linger.Known(linger.Instant(a)), Done: linger.Known(linger.Instant(b))}}}
		h2 := *tr
		h2.Connections = []trace.Connection{{Dialled: linger.Instant(a), Protocol: "h2", Established: linger.Known(linger.Instant(b))}, {ID: 1, Protocol: "h3", Secured: linger.Known(linger.Instant(b))}}
		for range 3 {
			h2.Exchanges = append(h2.Exchanges, trace.Exchange{ID: 2, FirstByte: linger.Known(linger.Instant(b)), Sent: linger.Known(linger.Instant(a))}, tr.Exchanges[0], tr.Exchanges[1])
		}
		fs := compare.Findings{Workload: compare.Workload{Name: name}, Verdict: compare.Verdict{Best: name, Findings: []finding.Finding{{Code: url, Subject: finding.Subject{Name: name}, Figures: finding.Figures{finding.Word(name, url)}}}},
			Caveats: []finding.Caveat{{Code: compare.Failed, Cause: compare.CauseTrials, Subject: finding.Subject{Name: name}, Figures: finding.Figures{finding.Word("reason", url)}}, {Code: url}},
			Rows:    []compare.Row{{Strategy: name, Time: linger.Known(times.Time{Median: float64(a), Low: linger.Known(float64(b)), High: linger.Known(float64(a))})}}}
		var out bytes.Buffer
		if err := errors.Join(Waterfall(&out, tr, Options{}), Waterfall(&out, &h2, Options{}), Compare(&out, fs, Options{Command: url})); err != nil {
			t.Fatal(err)
		}
		for _, r := range out.String() {
			if r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0) {
				t.Fatalf("a control character got through: %q", out.String())
			}
		}
	})
}

func BenchmarkCompare(b *testing.B) {
	f := findings(b, "gallery")
	for b.Loop() {
		if err := Compare(io.Discard, f, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// changedFindings is a result, and what became of it.
func changedFindings(t testing.TB) difference.Change {
	before, after := findings(t, "secure"), findings(t, "secure")
	after.Rows = after.Rows[1:]
	faster := after.Rows[0].Time.Or(times.Time{})
	faster.Median, faster.Low, faster.High = faster.Median/2, linger.Known(faster.Low.Or(0)/2), linger.Known(faster.High.Or(0)/2)
	for i, v := range after.Rows[0].Samples.Time {
		after.Rows[0].Samples.Time[i], after.Rows[0].Samples.Connections[i] = linger.Known(v.Or(0)/2), linger.Known(6.0)
	}
	after.Rows[0].Time, after.Rows[0].Connections = linger.Known(faster), linger.Known(6.0)
	after.Network.RTT = linger.Known(35.0)
	return difference.Of(before, after)
}

// The first screen of a comparison has room for a prompt below it, whatever was found of up
// to seven strategies.
func TestCompareFitsOnAScreen(t *testing.T) {
	for name := range textbook.Examples {
		f := findings(t, name)
		if len(f.Rows) > 7 {
			continue
		}
		for _, width := range []int{80, 100, 120} {
			var b strings.Builder
			if err := Compare(&b, f, Options{Screen: terminal.Screen{Width: width}, Version: "1.0", Command: "linger compare"}); err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(b.String(), "\n"); n > 23 {
				t.Errorf("%s at %d columns has %d lines:\n%s", name, width, n, b.String())
			}
		}
	}
}
