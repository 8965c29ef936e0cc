package linger

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseQuery(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, test := range []struct{ name, kind, want, fails string }{
		{"www.example", "A", "www.example A", ""},
		{"www.example.", "aaaa", "www.example AAAA", ""},
		{"WWW.Example", "A", "WWW.Example A", ""},
		{".", "NS", ". NS", ""},
		{"_dns.example", "TYPE65", "_dns.example TYPE65", ""},
		{`a\.b.example.`, "A", `a\.b.example A`, ""},
		{`a\.`, "A", `a\. A`, ""},
		{`a\\.`, "A", `a\\ A`, ""},
		{`a\\\.`, "A", `a\\\. A`, ""},
		{`\000.example`, "A", `\000.example A`, ""},
		{long + ".example", "A", long + ".example A", ""},
		{strings.Repeat(long+".", 3) + long[:61], "A", strings.Repeat(long+".", 3) + long[:61] + " A", ""},
		{strings.Repeat(long+".", 3) + long[:62], "A", "", "254 characters; 253 are possible"},
		{long + "a.example", "A", "", "a label of 64 bytes; 63 are possible"},
		{strings.Repeat(`\097`, 63) + ".example", "A", strings.Repeat(`\097`, 63) + ".example A", ""},
		{"", "A", "", "is not a name"},
		{"..", "A", "", "an empty label"},
		{"a..b", "A", "", "an empty label"},
		{".a", "A", "", "an empty label"},
		{`a\`, "A", "", "ends in the midst of an escape"},
		{`a\25`, "A", "", "ends in the midst of an escape"},
		{`a\256`, "A", "", "an escape above"},
		{"a b", "A", "", `must be written as \DDD`},
		{"bücher.example", "A", "", `must be written as \DDD`},
		{"www.example", "", "", "is not a type of record"},
		{"www.example", "A B", "", "is not a type of record"},
	} {
		q, err := ParseQuery(test.name, test.kind)
		if test.fails != "" {
			if err == nil || !strings.Contains(err.Error(), test.fails) {
				t.Errorf("%q %q: %v, want %q", test.name, test.kind, err, test.fails)
			}
			continue
		}
		if err != nil || q.String() != test.want {
			t.Errorf("%q %q is %q, %v; want %q", test.name, test.kind, q, err, test.want)
		}
		if again, err := ParseQuery(q.Name, q.Type); err != nil || again != q {
			t.Errorf("%q does not read itself back: %q, %v", q, again, err)
		}
	}
}

func TestParseNames(t *testing.T) {
	w, err := ParseNames("list", strings.NewReader("\ufeff; a comment\n\nwww.example A\n\tmail.example\t mx \n# another\nwww.example. A\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range w.Exchanges {
		got = append(got, e.Query.String())
		if e.Parent != NoParent {
			t.Errorf("%s has the parent %d", e.Query, e.Parent)
		}
	}
	if want := []string{"www.example A", "mail.example MX", "www.example A"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := w.Validate(); err != nil || w.Scheme != SchemeDNS || w.Name != "list" {
		t.Errorf("%v: %+v", err, w)
	}
	for in, want := range map[string]string{
		"":                                       "the list has no names",
		"; nothing\n":                            "the list has no names",
		"www.example\n":                          "line 1: 1 word; write NAME TYPE",
		"a A\nwww.example A IN\n":                "line 2: 3 words",
		"a A\n\na..b A\n":                        `line 3: the name "a..b" has an empty label`,
		"a A!\n":                                 "line 1: ",
		strings.Repeat("a", maxListLine+1):       "line 1: longer than",
		strings.Repeat("a A\n", MaxExchanges+1):  fmt.Sprintf("line %d: one run holds at most %d queries", MaxExchanges+1, MaxExchanges),
		strings.Repeat("; a\n", maxListLines+1):  fmt.Sprintf("line %d: a list has at most", maxListLines+1),
		"<html><head><title>Not Found</title>\n": "line 1: ",
	} {
		if _, err := ParseNames("list", strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.30q: %v, want %q", in, err, want)
		}
	}
}

// TestNames has the page's names: 20 that differ, in four steps.
func TestNames(t *testing.T) {
	w := Names()
	if err := w.Validate(); err != nil {
		t.Fatal(err)
	}
	seen, depth := map[Query]bool{}, make([]int, len(w.Exchanges))
	steps := map[int]int{}
	for i, e := range w.Exchanges {
		if e.Parent != NoParent {
			depth[i] = depth[e.Parent] + 1
		}
		steps[depth[i]]++
		seen[e.Query] = true
		if !strings.HasSuffix(e.Query.Name, ".example") || e.Query.Type != "A" {
			t.Errorf("asks %s", e.Query)
		}
	}
	if len(seen) != 20 || len(w.Exchanges) != 20 || len(steps) != 4 {
		t.Errorf("%d names, %d queries, steps %v", len(seen), len(w.Exchanges), steps)
	}
}

func TestAtRate(t *testing.T) {
	const rate, lasting = 50.0, 100 * time.Second
	w, err := Names().AtRate(rate, lasting, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Validate(); err != nil {
		t.Fatal(err)
	}
	// The number of events of a Poisson process varies by the root of its mean.
	if n, mean := float64(len(w.Exchanges)), rate*lasting.Seconds(); math.Abs(n-mean) > 4*math.Sqrt(mean) {
		t.Errorf("%v queries, want about %v", n, mean)
	}
	short := 0
	for i, e := range w.Exchanges {
		if e.Query != Names().Exchanges[i%20].Query || e.Parent != NoParent || e.Think >= lasting {
			t.Fatalf("query %d: %+v", i, e)
		}
		if i > 0 {
			gap := e.Think - w.Exchanges[i-1].Think
			if gap < 0 {
				t.Fatalf("query %d comes before the one before it", i)
			}
			if gap.Seconds() < 1/rate {
				short++
			}
		}
	}
	// Of exponential gaps, 1-1/e are shorter than their mean.
	if part := float64(short) / float64(len(w.Exchanges)-1); math.Abs(part-(1-1/math.E)) > 0.03 {
		t.Errorf("%.3f of the gaps are shorter than their mean, want %.3f", part, 1-1/math.E)
	}
	again, _ := Names().AtRate(rate, lasting, 1)
	other, _ := Names().AtRate(rate, lasting, 2)
	if !slices.Equal(w.Exchanges, again.Exchanges) || slices.Equal(w.Exchanges, other.Exchanges) {
		t.Error("the seed does not fix the gaps")
	}
	for _, bad := range []struct {
		w       Workload
		rate    float64
		lasting time.Duration
	}{
		{Gallery(1), 1, time.Second}, {Names(), 0, time.Second}, {Names(), -1, time.Second}, {Names(), math.NaN(), time.Second},
		{Names(), math.Inf(1), time.Second}, {Names(), 1, 0}, {Names(), 1, MaxThink + 1}, {Names(), MaxExchanges, 2 * time.Second},
	} {
		if _, err := bad.w.AtRate(bad.rate, bad.lasting, 1); err == nil {
			t.Errorf("%g/s for %v of %s is no error", bad.rate, bad.lasting, bad.w.Name)
		}
	}
}

func TestDNSStrategies(t *testing.T) {
	for in, want := range map[string]Strategy{
		"udp":              {DNS: OverUDP, Datagram: true, Connections: 100, InFlight: 1},
		"udp:5":            {DNS: OverUDP, Datagram: true, Connections: 5, InFlight: 1},
		"tcp":              {DNS: OverTCP, Connections: 100, InFlight: 1},
		"tcp+keep":         {DNS: OverTCP, Persistent: true, Connections: 1, InFlight: 1},
		"tcp:3+keep":       {DNS: OverTCP, Persistent: true, Connections: 3, InFlight: 1},
		"tcp+pipeline":     {DNS: OverTCP, Persistent: true, Connections: 1, InFlight: Unlimited, Multiplexed: true},
		"dot+keep+resume":  {DNS: OverTLS, Persistent: true, Connections: 1, InFlight: 1, Resume: true},
		"dot+pipeline":     {DNS: OverTLS, Persistent: true, Connections: 1, InFlight: Unlimited, Multiplexed: true},
		"doh":              {DNS: OverHTTPS, Version: "2", Connections: 100, InFlight: 1, Multiplexed: true},
		"doh+keep+get":     {DNS: OverHTTPS, Version: "2", Persistent: true, Connections: 1, InFlight: Unlimited, Multiplexed: true, Get: true},
		"doh3+0rtt":        {DNS: OverHTTPS, Version: "3", Connections: 100, InFlight: 1, Multiplexed: true, Get: true, Resume: true, EarlyData: true},
		"doq+keep+0rtt":    {DNS: OverQUIC, Persistent: true, Connections: 1, InFlight: Unlimited, Multiplexed: true, Resume: true, EarlyData: true},
		"tcp+keep+tfo":     {DNS: OverTCP, Persistent: true, Connections: 1, InFlight: 1, FastOpen: true},
		"doq:2+keep":       {DNS: OverQUIC, Persistent: true, Connections: 2, InFlight: Unlimited, Multiplexed: true},
		"dot:1+resume+tfo": {DNS: OverTLS, Connections: 1, InFlight: 1, Resume: true, FastOpen: true},
	} {
		want.Name = in
		got, err := ParseStrategy(in)
		if err != nil || got != want {
			t.Errorf("ParseStrategy(%q) = %+v, %v; want %+v", in, got, err, want)
		}
		if got.Fits(SchemeDNS) != nil || got.Fits("http") == nil || got.Fits("https") == nil {
			t.Errorf("%s fits wrongly", in)
		}
	}
	for in, want := range map[string]string{
		"udp+keep":          "UDP has no connection to keep; use tcp+keep",
		"udp+pipeline":      "use tcp+pipeline",
		"udp+tfo":           "UDP has nothing to open",
		"udp+resume":        "no TLS session",
		"udp+0rtt":          "there is no TLS in it",
		"tcp+resume":        "no TLS session",
		"dot+0rtt":          "no early data over TCP",
		"doh+0rtt":          "no early data over TCP",
		"doh+pipeline":      "doh sends all at once as it is; use doh+keep",
		"doq+pipeline":      "use doq+keep",
		"doq+get":           "only DNS over HTTPS has a method",
		"tcp+keep+pipeline": "two ways of keeping",
		"keep+keep":         "+keep is for the strategies of DNS",
		"doq+tfo":           "QUIC has no TCP to open; use doq+0rtt",
		"tcp+1.0":           "DNS does not travel by HTTP/1.0",
	} {
		if _, err := ParseStrategy(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseStrategy(%q): %v; want %q", in, err, want)
		}
	}
	if all, err := ParseStrategies(DefaultStrategies(SchemeDNS)); err != nil || len(all) != 12 {
		t.Errorf("the default: %v, %v", all, err)
	}
}

// FuzzParseNames says that what is read is valid and reads itself back.
func FuzzParseNames(f *testing.F) {
	f.Add("www.example A\nmail.example MX\n")
	f.Add("; comment\n\ufeffa\\.b. TYPE65\n. NS\n")
	f.Add(`a\\. A` + "\n" + `\255\000.x aaaa` + "\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		w, err := ParseNames("list", strings.NewReader(in))
		if err != nil {
			return
		}
		if err := w.Validate(); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		for _, e := range w.Exchanges {
			fmt.Fprintf(&out, "%s\n", e.Query)
		}
		again, err := ParseNames("list", strings.NewReader(out.String()))
		if err != nil || !slices.Equal(again.Exchanges, w.Exchanges) {
			t.Fatalf("%q reads back as %v, %v", out.String(), again.Exchanges, err)
		}
	})
}
