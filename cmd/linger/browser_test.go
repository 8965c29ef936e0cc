package main

import (
	"strings"
	"testing"

	"linger"
	"linger/browser"
	"linger/trace"
)

func needBrowser(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes seconds")
	}
	needLab(t)
	if _, err := browser.Find(); err != nil {
		skip(t, "%v", err)
	}
}

// TestBrowserCounts holds what a browser says of its connections against the ledger of
// the link and the log of the origin.
func TestBrowserCounts(t *testing.T) {
	needBrowser(t)
	network, err := linger.ParseNetwork(linger.DefaultNetwork)
	if err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"https", "http"} {
		w, err := linger.Gallery(1).WithScheme(scheme)
		if err != nil {
			t.Fatal(err)
		}
		strategies, err := clients(browser.Chromium, "", w)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int{"chromium-close:6": 41, "chromium-keep:6": 6, "chromium-h2": 1, "chromium-h3": 1}
		for _, s := range strategies {
			t.Run(scheme+" "+s.Name, func(t *testing.T) {
				var seen originSeen
				engine := labEngine{witness: func(_ linger.Scenario, _ *trace.Trace, o originSeen) { seen = o }}
				tr, err := engine.Run(t.Context(), linger.Scenario{Workload: w, Strategy: s, Network: network, Seed: 1}, 0)
				if err != nil {
					t.Fatal(err)
				}
				if len(tr.Exchanges) != len(w.Exchanges) {
					t.Errorf("the browser asked for more: %+v", tr.Exchanges[len(w.Exchanges):])
				}
				carried := map[int64]int{}
				for i, x := range tr.Exchanges[:len(w.Exchanges)] {
					if x.Failed != "" || x.Status != 200 || x.ResponseBody != w.Exchanges[i].ResponseBody {
						t.Errorf("%s: %d bytes of %d, status %d, %s", x.URL, x.ResponseBody, w.Exchanges[i].ResponseBody, x.Status, x.Failed)
					}
					sent, first, done := x.Sent.Or(-1), x.FirstByte.Or(-1), x.Done.Or(-1)
					if sent < 0 || sent < x.Queued-1e6 || first < sent || done < first || done > tr.Ended {
						t.Errorf("%s: queued at %v, sent %v, first byte %v, done %v, all %v", x.URL, x.Queued, sent, first, done, tr.Ended)
					}
					carried[x.Connection]++
				}
				ledger, _ := tr.Ledger.Get()
				flows := 0
				for _, f := range ledger.Connections {
					if f.Protocol == "tcp" || f.IsQUIC() {
						flows++
					}
					if !strings.HasPrefix(f.Server, "10.0.2.1") {
						t.Errorf("the browser spoke to %s", f.Server)
					}
				}
				// Where each connection is closed the browser sometimes opens one more than it
				// then has a request for; its DevTools tell of none without.
				spare := 0
				if !s.Persistent {
					spare = 2
				}
				if n := len(tr.Connections); n != want[s.Name] || n != len(seen.Carried) || n > flows || flows > n+spare || n != len(carried) {
					t.Errorf("the browser says %d connections with requests, the origin %d, the link %d in all; want %d", n, len(seen.Carried), flows, want[s.Name])
				}
				if int64(flows) != seen.Accepted {
					t.Errorf("the link has %d connections, the origin accepted %d", flows, seen.Accepted)
				}
				// Each connection has carried as many requests for the browser as for the origin.
				ours, theirs := map[int]int{}, map[int]int{}
				for _, k := range tr.Connections {
					ours[k.Requests]++
				}
				for _, n := range seen.Carried {
					theirs[n]++
				}
				for n := range ours {
					if ours[n] != theirs[n] {
						t.Errorf("requests a connection: the browser says %v, the origin %v", ours, theirs)
						break
					}
				}
				if client, _ := tr.Client.Get(); client.CPU != 0 {
					t.Errorf("CPU of a browser: %v", client.CPU)
				}
			})
		}
	}
}

func TestBrowserRefusals(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"gallery --client chromium -s keep", "six connections an origin"},
		{"gallery --client chromium -s h2+resume", "six connections an origin"},
		{"gallery --client chromium -s h2 --scheme http", "over TLS only"},
		{"api --client chromium", "what its HTML names"},
		{"dns --client chromium", "looks no names up"},
		{"gallery --client firefox", "no client that is known here"},
		{"gallery --client chromium,chromium", "stands twice"},
		{"gallery --client chromium --think 1s", "waits as it likes"},
	} {
		_, errs, status := command(t, append([]string{"compare"}, strings.Fields(test.args)...)...)
		if status != exitUsage || !strings.Contains(errs, test.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: status %d, %s", test.args, status, errs)
		}
	}
}

func TestNoBrowser(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, errs, status := command(t, "compare", "--client", "chromium")
	if status != exitMachine || !strings.Contains(errs, "apt install chromium") {
		t.Errorf("status %d, %s", status, errs)
	}
}
