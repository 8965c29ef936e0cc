package html

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/assert"
	"linger/compare"
	"linger/internal/testall"
	"linger/report/html/draw"
	"linger/report/table"
	"linger/trace"
)

func strategy(t testing.TB, name string) linger.Strategy {
	t.Helper()
	s, err := linger.ParseStrategy(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// textbook is what a strategy might have done: n objects behind a page, on a path
// of that round-trip time, with so much set-up and transfer for each.
func textbook(s linger.Strategy, n, trial int, rtt time.Duration, urls func(int) string) *trace.Trace {
	t := &trace.Trace{
		Provenance: trace.Measured, Engine: "lab", Workload: "gallery", Strategy: s.Name, Trial: trial,
		Network: linger.Network{Name: "lte", RTT: rtt, Down: 12 * linger.Mbps, Up: 12 * linger.Mbps, Queue: linger.DefaultQueue},
	}
	trip := linger.Instant(rtt)
	free := make([]linger.Instant, max(1, s.Connections)) // when each place for a connection is
	on := make([]int64, len(free))
	for i := range on {
		on[i] = -1
	}
	quic := s.QUIC()
	ledger := trace.Ledger{}
	link := linger.Instant(0)
	for i := range n + 1 {
		place := 0
		for k := range free {
			if free[k] < free[place] {
				place = k
			}
		}
		size := int64(3000 + i*7919%23_000)
		if i == 0 {
			size = 43_008
		}
		wanted := linger.Instant(0)
		if i > 0 {
			wanted = t.Exchanges[0].FirstByte.Or(0) + linger.Instant(i)*1e5
		}
		at := max(wanted, free[place])
		if on[place] < 0 || !s.Persistent {
			at = max(wanted, free[place])
			c := trace.Connection{
				ID: int64(len(t.Connections)), Client: fmt.Sprintf("10.0.1.1:%d", 40000+len(t.Connections)), Server: "10.0.2.1:443", Protocol: "http/1.1", Dialled: at, ClosedBy: trace.AtClient, Reason: "all is fetched",
			}
			switch {
			case s.Datagram:
				c.Protocol, c.Connected = "udp", linger.Known(at)
			case quic:
				at += trip
				c.Protocol, c.Secured, c.Connected = "h3", linger.Known(at), linger.Known(at)
				c.QUIC = linger.Known(trace.QUIC{Version: "1", Stack: "of a test"})
				c.TLS = linger.Known(trace.TLS{Version: "1.3", ALPN: "h3", Up: 400, Down: 3000})
			default:
				at += trip
				c.Established = linger.Known(at)
				at += trip + linger.Instant(time.Millisecond)
				c.Secured, c.Connected = linger.Known(at), linger.Known(at)
				c.TLS = linger.Known(trace.TLS{Version: "1.3", ALPN: "http/1.1", Up: 400, Down: 3000})
				if s.Multiplexed {
					c.Protocol = "h2"
				}
			}
			on[place] = c.ID
			t.Connections = append(t.Connections, c)
			f := trace.Flows{Protocol: "tcp", Client: c.Client, Server: c.Server, Up: trace.Flow{Packets: 4, Header: 200, Payload: 420, SYN: 1, FIN: 1}, Down: trace.Flow{Packets: 4, Header: 200, Payload: 3100, SYN: 1, FIN: 1}}
			if quic || s.Datagram {
				f.Protocol, f.Up.SYN, f.Down.SYN, f.Up.FIN, f.Down.FIN = "udp", 0, 0, 0, 0
			}
			if quic {
				f.Up.Initial, f.Down.Initial = 1, 1
			}
			ledger.Connections = append(ledger.Connections, f)
		}
		c := &t.Connections[on[place]]
		sent := at
		first := max(sent+trip, link)
		done := first + linger.Instant(size)*8*1000/12
		link = done
		first += linger.Instant(trial) * linger.Instant(200*time.Microsecond)
		done += linger.Instant(trial) * linger.Instant(200*time.Microsecond)
		if s.Persistent && s.InFlight != 1 {
			free[place] = sent + 1e5
		} else {
			free[place] = done
		}
		c.Requests++
		if !s.Persistent {
			c.Closed = linger.Known(done)
		}
		e := trace.Exchange{
			ID: i, Method: "GET", URL: urls(i), Connection: c.ID, Attempts: 1, Status: 200, Queued: wanted,
			Sent: linger.Known(sent), FirstByte: linger.Known(first), Done: linger.Known(done), RequestHead: 120, ResponseHead: 200, ResponseBody: size,
		}
		if s.Datagram {
			e.Method, e.Status, e.Rcode = "A", 0, "NOERROR"
		}
		t.Exchanges = append(t.Exchanges, e)
		f := &ledger.Connections[c.ID]
		f.Up.Packets, f.Up.Header, f.Up.Payload = f.Up.Packets+size/2896+1, f.Up.Header+52*(size/2896+1), f.Up.Payload+120
		f.Down.Packets, f.Down.Header, f.Down.Payload = f.Down.Packets+size/1448+1, f.Down.Header+52*(size/1448+1), f.Down.Payload+size+200
		t.Ended = max(t.Ended, done)
	}
	t.Ledger = linger.Known(ledger)
	return t
}

// experiment is n objects by a list of strategies, five times each.
func experiment(t testing.TB, list string, n int, urls func(int) string) trace.Experiment {
	t.Helper()
	all, err := linger.ParseStrategies(list)
	if err != nil {
		t.Fatal(err)
	}
	const rtt = 70 * time.Millisecond
	in := trace.Experiment{Setup: trace.Setup{
		Workload: linger.Workload{Name: "gallery", Scheme: "https"}, Strategies: all, Trials: 5, Seed: 1, Engine: "lab", Provenance: trace.Measured,
		Network: linger.Network{Name: "lte", RTT: rtt, Down: 12 * linger.Mbps, Up: 12 * linger.Mbps, Queue: linger.DefaultQueue},
	}}
	for _, s := range all {
		var with, still []*trace.Trace
		for trial := range 5 {
			with, still = append(with, textbook(s, n, trial, rtt, urls)), append(still, textbook(s, n, trial, 0, urls))
		}
		in.Traces, in.ZeroRTT = append(in.Traces, with), append(in.ZeroRTT, still[:3])
	}
	for _, e := range in.Traces[0][0].Exchanges {
		in.Workload.Exchanges = append(in.Workload.Exchanges, linger.Exchange{Method: "GET", Path: fmt.Sprintf("/%d", e.ID), Status: 200, ResponseBody: e.ResponseBody, Parent: linger.NoParent})
	}
	return in
}

func images(i int) string { return fmt.Sprintf("https://origin/images/%02d.jpg", i) }

// inputs are the experiments that the page is looked at with.
func inputs(t testing.TB) map[string]trace.Experiment {
	t.Helper()
	gallery := experiment(t, "close,close:6,keep,keep:6,pipeline,h2,h3", 40, images)
	names := experiment(t, "udp,dot,dot+keep,doq", 20, func(i int) string { return fmt.Sprintf("dns://10.0.2.1/www%d.example?type=A", i) })
	names.Workload.Name, names.Workload.Scheme = "dns", linger.SchemeDNS
	// One that broke, and one of which nobody watched the link.
	broken := experiment(t, "close,keep", 4, func(i int) string { return fmt.Sprintf(`https://origin/<b>%d</b>?token=secret&n=%d#part`, i, i) })
	for _, list := range broken.Traces {
		for _, one := range list {
			one.Ledger = linger.Opt[trace.Ledger]{}
		}
	}
	e := &broken.Traces[1][4].Exchanges[3]
	e.Failed, e.Done = `GET https://user:word@origin/x?token=secret: the server closed in mid-response`, linger.Opt[linger.Instant]{}
	broken.Failures = [][]string{{"not done after 10m0s"}, nil}
	broken.Network = linger.Network{Name: "origin.example"}
	one := experiment(t, "keep:6", 40, images).Traces[0][0]
	return map[string]trace.Experiment{
		"gallery": gallery, "names": names, "broken": broken,
		"single": compare.Fetched(one, linger.Workload{Name: "https://origin/", Scheme: "https"}, strategy(t, "keep:6")),
		"none":   {Setup: trace.Setup{Workload: gallery.Workload, Strategies: gallery.Strategies[:2], Network: gallery.Network, Trials: 3}, Failures: [][]string{{"refused"}, {"refused"}}},
	}
}

func TestMarkupInAURLIsText(t *testing.T) {
	evil := `</script></style></svg><script>alert(1)</script><img src=x onerror=alert(1)>"'--><!--{{.}}`
	in := experiment(t, "close,keep", 2, func(i int) string { return "https://origin/" + evil + fmt.Sprint(i) })
	in.Workload.Name = evil
	in.Network.Name = evil
	in.Strategies[0].Name = evil
	for _, list := range in.Traces {
		for _, one := range list {
			one.Exchanges[1].Failed, one.Exchanges[1].Method, one.Exchanges[1].Rcode = evil, evil, evil
			one.Connections[0].Reason, one.Connections[0].Protocol = evil, linger.Protocol(evil)
		}
	}
	page := string(render(t, in, Options{Command: "linger compare " + evil, Version: evil, Queries: true}))
	if n := strings.Count(page, "<script"); n != 1 {
		t.Errorf("%d scripts", n)
	}
	for _, tag := range []string{"</script", "</style", "<img", "<!--"} {
		want := map[string]int{"</script": 1, "</style": 1}[tag]
		if n := strings.Count(page, tag); n != want {
			t.Errorf("%s stands %d times; want %d", tag, n, want)
		}
	}
	if !strings.Contains(html.UnescapeString(page), evil) {
		t.Error("what was fetched is not there to be read")
	}
}

func TestQueriesAreLeftOut(t *testing.T) {
	in := inputs(t)["broken"]
	in.Workload.Name = "https://me:word@origin/a?token=secret"
	o := Options{Command: "linger get 'https://me:word@origin/a?token=secret#frag' -s keep"}
	for _, secret := range []string{"secret", "word@", "#frag", "#part"} {
		if page := render(t, in, o); bytes.Contains(page, []byte(secret)) {
			t.Errorf("%q is in the page", secret)
		}
	}
	if in.Traces[1][4].Exchanges[3].URL != `https://origin/<b>3</b>?token=secret&n=3#part` {
		t.Error("the traces themselves were changed")
	}
	o.Queries = true
	if page := html.UnescapeString(string(render(t, in, o))); !strings.Contains(page, "?token=secret") {
		t.Error("they were asked for, and are not in the page")
	}
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"https://a.example/b?c=d":                   "https://a.example/b?…",
		"https://a.example/b#c":                     "https://a.example/b#…",
		"https://u:p@a.example/b":                   "https://a.example/b",
		"https://a.example?q":                       "https://a.example?…",
		"/images/1.jpg?x=1&y=2":                     "/images/1.jpg?…",
		"dns://10.0.2.1/www.example?type=A":         "dns://10.0.2.1/www.example?type=A",
		`Get "https://a.example/b?c=d": EOF`:        `Get "https://a.example/b?…": EOF`,
		"linger get 'https://a.example/?k=v' -s h2": "linger get 'https://a.example/?…' -s h2",
		"what? no URL":                              "what? no URL",
		"https://a.example/it's?token='s'":          "https://a.example/it's?…'",
		"linger get 'https://a/?k=v', then":         "linger get 'https://a/?…', then",
		"":                                          "",
	} {
		if got := redact(in); got != want {
			t.Errorf("%q becomes %q; want %q", in, got, want)
		}
	}
}

// Seven strategies of 100 objects are less than 1.5 MB: some 2,700 messages take half of it.
func TestThePageIsSmall(t *testing.T) {
	in := experiment(t, "close,close:6,keep,keep:6,pipeline,h2,h3", 100, func(i int) string {
		return fmt.Sprintf("https://static.shop.example/assets/images/2026/products/%032x-large.jpg", i*7919)
	})
	page := render(t, in, Options{Version: "test", Command: "linger compare"})
	t.Logf("%d bytes", len(page))
	if len(page) >= 1_500_000 {
		t.Errorf("%d bytes", len(page))
	}
	if !testall.Asked() && testing.Short() {
		return
	}
	// However much was fetched, it stays readable.
	huge := render(t, experiment(t, "close", 5000, images), Options{})
	if len(huge) >= 1_000_000 {
		t.Errorf("5001 connections: %d bytes", len(huge))
	}
	for _, want := range []string{"4751 more connections not drawn", "… and 4601 connections more", "… and 4601 requests more"} {
		if !bytes.Contains(huge, []byte(want)) {
			t.Errorf("it does not say %q", want)
		}
	}
}

var outward = regexp.MustCompile(`(?i)(?:src|href|action|data|poster|srcset|xlink:href)\s*=|url\(|@import|fetch\(|XMLHttpRequest|WebSocket|sendBeacon|import\(`)

// The page points nowhere but into itself, and its policy allows nothing else.
func TestThePageNeedsNothingElse(t *testing.T) {
	page := string(render(t, inputs(t)["gallery"], Options{}))
	for _, found := range outward.FindAllStringIndex(page, -1) {
		if around := page[found[0]:min(len(page), found[1]+20)]; !strings.HasPrefix(around, `href="#`) {
			t.Errorf("it points to something: %s", around)
		}
	}
	if !strings.Contains(page, `content="default-src &#39;none&#39;; style-src &#39;sha256-`) {
		t.Error("it has no policy")
	}
	if strings.Contains(page, " style=") {
		t.Error("a style stands on an element, which the policy forbids")
	}
}

func TestTheSameInputGivesTheSamePage(t *testing.T) {
	for name, in := range inputs(t) {
		if !bytes.Equal(render(t, in, Options{}), render(t, in, Options{})) {
			t.Errorf("%s differs", name)
		}
	}
}

// Digits that are not seen keep points one below the other.
func TestPointsStandOneBelowTheOther(t *testing.T) {
	sure := linger.Known(0.004)
	numbers := table.Table{Columns: []table.Column{{Head: "time, s", Align: table.Point}}}
	for _, cell := range []table.Cell{
		table.Measured(10.6, sure, 1), table.Measured(12, sure, 0), table.Measured(0.844, sure, 3), table.Measured(120, sure, -1), table.Unknown(),
	} {
		numbers.Add(cell)
	}
	want := []draw.Cell{
		{Text: "10.6", Pad: "00", Uncertainty: "0.1", UncertaintyPad: "00"}, {Text: "12", Pad: ".000", Uncertainty: "1", UncertaintyPad: ".000"}, {Text: "0.844", Uncertainty: "0.004"},
		{Text: "120", Pad: ".000", Uncertainty: "10", UncertaintyPad: ".000"}, {Text: "-", Nothing: true},
	}
	for i, row := range draw.TableOf(numbers).Rows {
		if row.Cells[0] != want[i] {
			t.Errorf("%+v; want %+v", row.Cells[0], want[i])
		}
	}
}

func BenchmarkHTML(b *testing.B) {
	in := experiment(b, "close,close:6,keep,keep:6,pipeline,h2,h3", 100, images)
	f := compare.Compare(in)
	for b.Loop() {
		var page bytes.Buffer
		if err := Compare(&page, f, in, Options{}); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(page.Len()))
	}
}

// FuzzPage: whatever trace file can be read can be shown.
func FuzzPage(f *testing.F) {
	const header = `{"format":"linger-trace","version":1,"kind":"fetch","strategies":[{"name":"keep","connections":1}],"network":{"rtt_ns":70000000},"trials":1,"seed":1}`
	f.Add(`{"strategy":0,"trace":{"ended_ns":5000000,"connections":[{"id":3,"dialled_ns":1,"connected_ns":2,"closed_ns":9,"closed_by":"client"}],"exchanges":[{"id":0,"connection":3,"url":"http://a/b?c","sent_ns":2,"first_byte_ns":4,"done_ns":5}]}}`)
	f.Add(`{"strategy":0,"trace":{"ended_ns":1,"connections":[{"id":0,"dialled_ns":-5,"established_ns":-9,"secured_ns":7,"protocol":"h3"},{"id":1,"protocol":"udp","dialled_ns":3}],"exchanges":[{"id":9,"connection":1,"sent_ns":9,"first_byte_ns":4,"done_ns":2},{"id":9,"connection":-1,"failed":"no"}]}}`)
	f.Add(`{"strategy":0,"trace":{"ended_ns":0,"ledger":{"connections":[{"protocol":"tcp","up":{"syn":1}}]}}}`)
	f.Fuzz(func(t *testing.T, line string) {
		var file bytes.Buffer
		z := gzip.NewWriter(&file)
		fmt.Fprintf(z, "%s\n%s\n{\"end\":{\"entries\":1}}\n", header, strings.ReplaceAll(line, "\n", " "))
		z.Close()
		in, _, err := trace.ReadExperiment(&file)
		if err != nil || len(in.Traces[0]) == 0 {
			return
		}
		one := in.Traces[0][0]
		in = compare.Fetched(one, linger.Workload{}, in.Strategies[0])
		var page bytes.Buffer
		if err := Compare(&page, compare.Compare(in), in, Options{}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(page.String(), "NaN") || strings.Contains(page.String(), "Inf") {
			t.Error("a place that is none")
		}
	})
}

// What was asserted stands in the page, with what decided it.
func TestPageHasItsAssertions(t *testing.T) {
	f := compare.Findings{Workload: compare.Workload{Name: "gallery"}}
	f.Asserted = []assert.Result{{Text: `time["h2"]<1s`, Truth: assert.Broken, Why: `time["h2"] is 1.31 s`}}
	var b bytes.Buffer
	if err := Compare(&b, f, trace.Experiment{}, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<h2>Assertions</h2>", "time[&#34;h2&#34;]&lt;1s", "does not hold"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}
