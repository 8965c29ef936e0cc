package rig

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"linger"
	"linger/browser"
	"linger/internal/testall"
	"linger/rig/host"
	"linger/trace"
)

func needBrowser(t *testing.T) {
	t.Helper()
	needLab(t)
	if _, err := browser.Find(); err != nil {
		testall.Lacks(t, "%v", err)
	}
}

// TestBrowserCounts holds what a browser says of its connections against the ledger of
// the link and the log of the origin.
func TestBrowserCounts(t *testing.T) {
	needBrowser(t)
	t.Parallel()
	network, err := linger.ParseNetwork(linger.DefaultNetwork)
	if err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"https", "http"} {
		w, err := linger.Gallery(1).WithScheme(scheme)
		if err != nil {
			t.Fatal(err)
		}
		strategies, err := Clients(browser.Chromium, "", w)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int{"chromium-close:6": 41, "chromium-keep:6": 6, "chromium-h2": 1, "chromium-h3": 1}
		for _, s := range strategies {
			t.Run(scheme+" "+s.Name, func(t *testing.T) {
				if s.Name != "chromium-h2" && (scheme != "http" || s.Persistent) {
					testall.Long(t, "a browser of its own")
				}
				t.Parallel()
				var seen host.OriginSeen
				engine := Lab{Witness: func(_ linger.Scenario, _ *trace.Trace, o host.OriginSeen) { seen = o }}
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

// manyOrigins is a page with what real ones have: further origins, paths with queries and with two
// slashes, the same path at two origins, a name and one that nobody can have in a certificate;
// what a style sheet, a script and an answer of JSON name; a font, a beacon, a preflight, a
// redirect.
const manyOrigins = `
/old            0 - status=301 type=
/           40000 /old type=text/html
/style.css   5000 / at=900
/app.js     20000 / at=1500
//cdn.example/logo.png      3000 / at=4000
//img.example/logo.png      4000 / at=4500
//cdn.example/a.png?v=2&x=%20y;'=[1]  3000 / at=5000
//img.example//double.png   4000 / at=7000
//cdn.example/moved.png        0 / at=8000 status=302 type=
//img.example/there.png     2500 //cdn.example/moved.png
//img_under.example:8080/p  1500 / at=8500 type=image/png
//cdn.example/font.woff2    9000 /style.css
//cdn.example/bg.png        1000 /style.css
//api.example/items.json    2000 /app.js
//api.example/frame/       10000 /app.js
//cdn.example/in-frame.png   700 //api.example/frame/ at=5000
//api.example/none             0 //api.example/items.json status=404 type=
POST://api.example/beacon      0 //api.example/items.json status=204 body=300 type=
OPTIONS://api.example/x        0 /app.js status=204 type=
HEAD:/head                     0 /app.js
`

// TestBrowserManyOrigins holds what Chromium says of each origin's connections and requests against
// what that origin has counted.
func TestBrowserManyOrigins(t *testing.T) {
	needBrowser(t)
	network, err := linger.ParseNetwork("lan")
	if err != nil {
		t.Fatal(err)
	}
	long := "/" + strings.Repeat("long/", 1500) + "path.png 900 / at=30000\n"
	listed := strings.ReplaceAll(manyOrigins, "'", "%27") + long
	for i := range 18 { // more than a lab has hosts
		listed += fmt.Sprintf("//far%d.example/p.png 600 / at=20000\n", i)
	}
	runs := map[string]string{"http": "close:6,keep:6", "https": "close:6,keep:6,h2,h3"}
	if !testall.Asked() {
		runs = map[string]string{"https": "h2"} // each takes seconds
	}
	for scheme, list := range runs {
		w, err := linger.ParseList("page", strings.NewReader(listed))
		if err == nil {
			w, err = w.WithScheme(scheme)
		}
		if err != nil {
			t.Fatal(err)
		}
		strategies, err := Clients(browser.Chromium, list, w)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range strategies {
			t.Run(scheme+" "+s.Name, func(t *testing.T) {
				browseManyOrigins(t, linger.Scenario{Workload: w, Strategy: s, Network: network, Seed: 1})
			})
		}
	}
}

func browseManyOrigins(t *testing.T, s linger.Scenario) {
	w := s.Workload
	var seen host.OriginSeen
	engine := Lab{Witness: func(_ linger.Scenario, _ *trace.Trace, o host.OriginSeen) { seen = o }}
	tr, err := engine.Run(t.Context(), s, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.Exchanges) != len(w.Exchanges) {
		t.Errorf("the browser asked for more: %+v", tr.Exchanges[len(w.Exchanges):])
	}
	requests := 0
	for i, x := range tr.Exchanges[:len(w.Exchanges)] {
		e := w.Exchanges[i]
		requests += x.Attempts
		if x.Failed != "" || x.Status != e.Status || x.ResponseBody != e.ResponseBody || x.Attempts != 1 {
			t.Errorf("%s: %d bytes of %d, status %d of %d, asked for %d times, %s", x.URL, x.ResponseBody, e.ResponseBody, x.Status, e.Status, x.Attempts, x.Failed)
		}
		if p := e.Parent; p >= 0 && x.Queued < tr.Exchanges[p].FirstByte.Or(0)-5e6 {
			t.Errorf("%s was asked for at %v, before %s began to come at %v", x.URL, x.Queued, tr.Exchanges[p].URL, tr.Exchanges[p].FirstByte.Or(0))
		}
	}
	answered, carried, ours, theirs := 0, map[int64]bool{}, map[int]int{}, map[int]int{}
	for _, x := range tr.Exchanges {
		carried[x.Connection] = true
	}
	for _, k := range tr.Connections {
		ours[k.Requests]++
	}
	for _, n := range seen.Carried {
		answered += n
		theirs[n]++
	}
	flows := int64(0)
	ledger, _ := tr.Ledger.Get()
	for _, f := range ledger.Connections {
		if f.Protocol == "tcp" || f.IsQUIC() {
			flows++
		}
	}
	if len(carried) != len(tr.Connections) || len(seen.Carried) != len(tr.Connections) || !maps.Equal(ours, theirs) || answered != requests {
		t.Errorf("requests a connection: the browser says %v, the origins %v", ours, theirs)
	}
	// Of those that nothing asks on, one may be given up before it is accepted: as the browser ends.
	if spare := flows - int64(len(tr.Connections)); flows-seen.Accepted < 0 || flows-seen.Accepted > min(1, spare) || spare < 0 {
		t.Errorf("the link has %d connections, the origins accepted %d, the browser used %d", flows, seen.Accepted, len(tr.Connections))
	}
	t.Logf("%d connections, %d of them with requests, %d requests", flows, len(tr.Connections), answered)
}
