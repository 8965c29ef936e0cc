package har

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"linger/trace"
)

// by is a HAR of some recorder.
func by(creator, browser string, entries ...string) string {
	return fmt.Sprintf(`{"log":{"creator":{"name":%q},"browser":{"name":%q},"entries":[%s]}}`, creator, browser, strings.Join(entries, ","))
}

// one is an entry in the form of a recorder: its URL, what stands in the response and
// what stands beside it.
func one(url, response, members string) string {
	return fmt.Sprintf(`{"startedDateTime":"2026-01-02T03:04:05Z","request":{"method":"GET","url":%q,"httpVersion":"HTTP/1.1"},"response":{"httpVersion":"HTTP/1.1",%s},%s}`,
		url, response, members)
}

// An exporter is what is known of a program that writes HARs; docs/workloads.md has it as a table.
type exporter struct {
	names       string
	creator     string // by which TestLocal and TestTimingsOfRecorders have it; empty is none
	local       string // how it shows what never crossed the network
	connections string
	handshakes  string
	source      string // repository: file
}

var exporters = []exporter{
	{"Chrome, Edge", "WebInspector", "`_fromCache` (memory, disk), `_fetchedViaServiceWorker`; `_transferSize` 0 (prefetch cache, redirects that it makes itself)",
		"`_connectionId`; until 2025 `connection`, which now is the server's port", "TLS within `connect`", "ChromeDevTools/devtools-frontend: front_end/models/har/Log.ts"},
	{"Firefox, and what is built of it", "Firefox", "no sign but that there is no address, no port and no timing above 0",
		"none: `connection` is the server's port", "TLS beside `connect`; `time` is no sum", "BrowserWorks/Waterfox: devtools/client/netmonitor/src/har/har-builder.js; mozilla/gecko-dev: devtools/shared/network-observer/NetworkTimings.sys.mjs"},
	{"Safari", "WebKit Web Inspector", "`_fetchType` (Memory Cache, Disk Cache, Service Worker)", "`connection`", "TLS within `connect`", "WebKit/WebKit: Source/WebInspectorUI/UserInterface/Controllers/HARBuilder.js"},
	{"Playwright", "Playwright", "`_transferSize` 0 (caches), `_wasFulfilled` (by the test's own code)", "none", "TLS within `connect`, and counted twice in `time`; written in the clear, too", "microsoft/playwright: packages/playwright-core/src/server/har/harTracer.ts"},
	{"sitespeed.io (browsertime)", "Browsertime", "`fromServiceWorker`, `_transferSize` 0 (prefetch cache); leaves the other caches out itself", "`connection`", "TLS within `connect`", "sitespeedio/chrome-har: lib/entryFromResponse.js"},
	{"WebPageTest", "WebPagetest", "writes what its agent saw on the network", "`_socket`", "instants of each (`_connect_start`, `_ssl_start` and the like)", "catchpoint/WebPageTest: www/har/HttpArchiveGenerator.php"},
	{"mitmproxy; k6 Studio, which records by it", "mitmproxy", "sees no cache of its client", "none", "TLS beside `connect`; before the request, or within `wait`; `headersSize` is none", "mitmproxy/mitmproxy: mitmproxy/addons/savehar.py; grafana/k6-studio: README.md"},
	{"HTTP Toolkit", "HTTP Toolkit", "sees no cache of its client", "none", "none", "httptoolkit/httptoolkit-ui: src/model/http/har.ts"},
	{"Insomnia", "Insomnia REST Client", "has no cache", "none", "none; each entry begins at the time of the export", "Kong/insomnia: packages/insomnia/src/common/har.ts"},
	{"Fiddler", "", "sees no cache of its client", "the part `EgressPort` of `connection`", "as HAR says", "not public; read as HAR 1.2 says"},
	{"Charles, Proxyman", "", "see no cache of their client", "`connection`, if it is not the server's port", "as HAR says", "not public; read as HAR 1.2 says"},
}

func exporterTable() string {
	var b strings.Builder
	b.WriteString("| program | what never crossed the network | connections | handshakes | source |\n|---|---|---|---|---|\n")
	for _, e := range exporters {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", e.names, e.local, e.connections, e.handshakes, e.source)
	}
	return b.String()
}

func TestExportersAreDocumented(t *testing.T) {
	doc := string(read(t, "../../docs/workloads.md"))
	if !strings.Contains(doc, exporterTable()) {
		t.Errorf("docs/workloads.md lacks this table:\n%s", exporterTable())
	}
	forms := string(read(t, "recorder_test.go"))
	for _, e := range exporters {
		if e.creator != "" && strings.Count(forms, `"`+e.creator+`"`) < 2 { // here, and where it is tested
			t.Errorf("no form of %s is tested", e.names)
		}
	}
}

// TestLocal has, for each recorder, what it writes of a response that crossed the network
// and of those that did not. Forms: docs/workloads.md names where each is from.
func TestLocal(t *testing.T) {
	const (
		chrome = `"status":200,"headersSize":100,"bodySize":500,"content":{"size":500},"_transferSize":600,"_fetchedViaServiceWorker":false`
		timed  = `"timings":{"blocked":1,"dns":-1,"connect":-1,"ssl":-1,"send":0,"wait":9,"receive":1}`
		zero   = `"timings":{"blocked":0,"dns":0,"connect":0,"ssl":0,"send":0,"wait":0,"receive":0}`
	)
	for _, c := range []struct {
		what, creator, browser, response, members string
		local                                     bool
	}{
		{"Chrome", "WebInspector", "", chrome, timed, false},
		{"Chrome, memory", "WebInspector", "", strings.Replace(chrome, "600", "0", 1), `"_fromCache":"memory",` + timed, true},
		{"Chrome, disk", "WebInspector", "", strings.Replace(chrome, "600", "0", 1), `"_fromCache":"disk",` + timed, true},
		{"Chrome, prefetch, which it does not name", "WebInspector", "", strings.Replace(chrome, "600", "0", 1), timed, true},
		{"Chrome, service worker", "WebInspector", "", strings.Replace(chrome, "false", "true", 1), timed, true},
		{"Chrome, 304", "WebInspector", "", `"status":304,"headersSize":149,"bodySize":0,"content":{"size":7002},"_transferSize":149`, timed, false},
		{"Chrome, a redirect that it made itself", "WebInspector", "", `"status":307,"headersSize":197,"bodySize":-197,"content":{"size":0,"compression":197},"_transferSize":0`, timed, true},
		{"Chrome, an empty body", "WebInspector", "", `"status":200,"headersSize":100,"bodySize":0,"content":{"size":0},"_transferSize":100`, timed, false},
		{"Firefox", "Firefox", "Firefox", `"status":200,"bodySize":500,"content":{"size":500}`, `"serverIPAddress":"192.0.2.7","connection":"443",` + zero, false},
		{"Firefox, cache", "Firefox", "Firefox", `"status":200,"headersSize":0,"bodySize":500,"content":{"size":500}`, zero, true},
		{"Firefox, cache, without timings", "Firefox", "Firefox", `"status":200,"bodySize":-1,"content":{"size":0}`, `"timings":{}`, true},
		{"a browser built of Firefox, cache", "LibreWolf", "LibreWolf", `"status":200,"bodySize":500,"content":{"size":500}`, zero, true},
		{"Firefox, blocked", "Firefox", "Firefox", `"status":0,"bodySize":-1,"content":{"size":0}`, zero, false},
		{"Firefox, by WebPageTest", "WebPagetest", "Firefox", `"status":200,"bodySize":500,"content":{"size":500}`, zero, false},
		{"Safari", "WebKit Web Inspector", "", `"status":200,"bodySize":500,"content":{"size":500}`, `"_fetchType":"Network Load",` + timed, false},
		{"Safari, memory", "WebKit Web Inspector", "", `"status":200,"bodySize":-1,"content":{"size":0}`, `"_fetchType":"Memory Cache",` + timed, true},
		{"Safari, disk", "WebKit Web Inspector", "", `"status":200,"bodySize":-1,"content":{"size":500}`, `"_fetchType":"Disk Cache",` + timed, true},
		{"Safari, service worker", "WebKit Web Inspector", "", `"status":200,"bodySize":500,"content":{"size":500}`, `"_fetchType":"Service Worker",` + timed, true},
		{"Playwright", "Playwright", "chromium", `"status":200,"headersSize":178,"bodySize":5015,"content":{"size":5015,"compression":0},"_transferSize":5193`, timed, false},
		{"Playwright, cache", "Playwright", "chromium", `"status":200,"headersSize":178,"bodySize":-178,"content":{"size":5015,"compression":5193},"_transferSize":0`, timed, true},
		{"Playwright, by the test's own code", "Playwright", "chromium", `"status":200,"bodySize":50,"content":{"size":50},"_transferSize":-1`, `"_wasFulfilled":true,` + timed, true},
		{"sitespeed", "Browsertime", "Chrome", `"status":200,"bodySize":500,"content":{"size":500},"_transferSize":600,"fromServiceWorker":false`, timed, false},
		{"sitespeed, service worker", "Browsertime", "Chrome", `"status":200,"bodySize":500,"content":{"size":500},"_transferSize":600,"fromServiceWorker":true`, timed, true},
		{"sitespeed, disk", "Browsertime", "Chrome", `"status":200,"bodySize":0,"content":{"size":0},"_transferSize":0,"fromDiskCache":true`, timed, true},
		{"mitmproxy", "mitmproxy", "", `"status":200,"bodySize":500,"content":{"size":500}`, timed, false},
		{"HTTP Toolkit", "HTTP Toolkit", "", `"status":200,"bodySize":500,"content":{"size":500}`, zero, false},
		{"Insomnia", "Insomnia REST Client", "", `"status":200,"bodySize":-1,"content":{"size":500}`, zero, false},
		{"HAR's own sign", "some", "", `"status":200,"bodySize":0,"content":{"size":500}`, timed, true},
	} {
		got, err := Read(strings.NewReader(by(c.creator, c.browser, one("https://a/", c.response, c.members))))
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if local := got.Exchanges[0].Attempts == 0; local != c.local {
			t.Errorf("%s: without the network: %t; want %t", c.what, local, c.local)
		}
	}
}

// TestNamesOfConnections has what recorders call a connection, two entries each.
func TestNamesOfConnections(t *testing.T) {
	for _, c := range []struct {
		what, first, second, version string
		same, unknown                bool
		note                         string
	}{
		{"Chrome until 2025", `"connection":"505"`, `"connection":"505"`, "http/1.1", true, false, ""},
		{"Chrome until 2025, two", `"connection":"505"`, `"connection":"506"`, "http/1.1", false, false, ""},
		{"Chrome since", `"connection":"443","_connectionId":"505"`, `"connection":"443","_connectionId":"505"`, "http/1.1", true, false, ""},
		{"Chrome since, two", `"connection":"443","_connectionId":"505"`, `"connection":"443","_connectionId":"506"`, "h2", false, false, ""},
		{"Chrome since, an ID like the port", `"_connectionId":"443"`, `"_connectionId":"443"`, "http/1.1", true, false, ""},
		{"Firefox", `"connection":"443"`, `"connection":"443"`, "HTTP/1.1", false, true, "connection unknown: 2 of 2 entries"},
		{"Firefox, h2", `"connection":"443"`, `"connection":"443"`, "HTTP/2", true, false, "connection not named, taken for the one of HTTP/2 or HTTP/3 to its host: 2 of 2 entries"},
		{"Firefox, h3", `"connection":"443"`, `"connection":"443"`, "HTTP/3", true, false, "connection not named, taken for the one of HTTP/2 or HTTP/3 to its host: 2 of 2 entries"},
		{"WebPageTest", `"_socket":18`, `"_socket":18`, "HTTP/1.1", true, false, ""},
		{"Fiddler", `"connection":"ClientPort:50001;EgressPort:50002"`, `"connection":"ClientPort:50003;EgressPort:50002"`, "HTTP/1.1", true, false, ""},
		{"Fiddler, two", `"connection":"ClientPort:50001;EgressPort:50002"`, `"connection":"ClientPort:50001;EgressPort:50004"`, "HTTP/1.1", false, false, ""},
		{"mitmproxy", `"serverIPAddress":"192.0.2.1"`, `"serverIPAddress":"192.0.2.1"`, "HTTP/1.1", false, true, "connection unknown: 2 of 2 entries"},
	} {
		entry := func(member string) string {
			return strings.ReplaceAll(one("https://a/", `"status":200,"bodySize":5`, member+`,"timings":{"wait":9}`), "HTTP/1.1", c.version)
		}
		got, err := Read(strings.NewReader(archive(entry(c.first), entry(c.second))))
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		a, b := got.Exchanges[0].Connection, got.Exchanges[1].Connection
		if (a < 0) != c.unknown || (b < 0) != c.unknown || (a == b && !c.unknown) != c.same {
			t.Errorf("%s: connections %d and %d", c.what, a, b)
		}
		if c.note != "" && !slices.Contains(got.Notes, c.note) {
			t.Errorf("%s: %q", c.what, got.Notes)
		}
	}
}

// TestTimingsOfRecorders has the same exchange as each writes it: TCP's handshake takes
// 30 ms, TLS's 40, the first byte 50 more, the body 10.
func TestTimingsOfRecorders(t *testing.T) {
	for _, c := range []struct {
		what, creator, url, members string
		established, connected      float64 // ms; 0 is not known
		first, done                 float64
	}{
		{"as HAR says", "x", "https://a/", `"time":130,"timings":{"connect":70,"ssl":40,"send":0,"wait":50,"receive":10}`, 30, 70, 120, 130},
		{"Firefox: TLS beside TCP", "Firefox", "https://a/", `"time":129,"timings":{"blocked":0,"dns":-1,"connect":30,"ssl":40,"send":0,"wait":50,"receive":10},"serverIPAddress":"192.0.2.1"`, 30, 70, 120, 130},
		{"longer than what it is part of", "x", "https://a/", `"timings":{"connect":30,"ssl":40,"send":0,"wait":50,"receive":10}`, 30, 70, 120, 130},
		{"a little longer, by rounding", "x", "https://a/", `"timings":{"connect":30,"ssl":31,"send":0,"wait":50,"receive":10}`, 0, 30, 80, 90},
		{"Playwright counts TLS twice", "Playwright", "https://a/", `"time":170,"timings":{"dns":-1,"connect":70,"ssl":40,"send":0,"wait":50,"receive":10}`, 30, 70, 120, 130},
		{"Playwright has TLS in the clear", "Playwright", "http://a/", `"time":132,"timings":{"dns":-1,"connect":30,"ssl":42,"send":0,"wait":50,"receive":10}`, 30, 30, 80, 90},
		{"mitmproxy: the handshakes before the request", "mitmproxy", "https://a/", `"time":130,"timings":{"connect":30,"ssl":40,"send":0,"wait":50,"receive":10}`, 30, 70, 120, 130},
		{"mitmproxy: TCP's within the wait", "mitmproxy", "http://a/", `"time":120,"timings":{"connect":30,"ssl":null,"send":0,"wait":80,"receive":10}`, 30, 30, 80, 90},
	} {
		got, err := Read(strings.NewReader(by(c.creator, "", one(c.url, `"status":200,"bodySize":5`, c.members))))
		if err != nil || len(got.Connections) != 1 {
			t.Errorf("%s: %v, %+v", c.what, err, got)
			continue
		}
		k, x := got.Connections[0], got.Exchanges[0]
		if c.established > 0 && k.Established != ms(c.established) || c.established == 0 && !k.Established.IsZero() || k.Connected != ms(c.connected) || x.FirstByte != ms(c.first) || x.Done != ms(c.done) {
			t.Errorf("%s: established %v, connected %v, first byte %v, done %v", c.what, k.Established, k.Connected, x.FirstByte, x.Done)
		}
	}
}

// TestCases reads small HARs with a fault of some recorder each, where they are present.
func TestCases(t *testing.T) {
	type figures struct {
		sent  int   // exchanges over the network
		local int   // without it
		bytes int64 // of responses' bodies
		notes int   // of what was left out
		conns int
	}
	ran := 0
	for name, want := range map[string]figures{
		"safari-cache.har":          {sent: 1, local: 2, bytes: 4000, conns: 1},
		"firefox-cache.har":         {sent: 2, local: 2, bytes: 4000, conns: 2},
		"one-odd-entry-data.har":    {sent: 1, bytes: 4000, notes: 1, conns: 1},
		"chrome-connection-old.har": {sent: 9, bytes: 1204000, conns: 1},
		"chrome-connection-now.har": {sent: 9, bytes: 1204000, conns: 1},
	} {
		b, err := os.ReadFile(filepath.Join("../../../shared/data/cases", name))
		if err != nil {
			continue
		}
		ran++
		got, err := Read(bytes.NewReader(b))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var sum figures
		for _, x := range got.Exchanges {
			sum.sent += x.Attempts
			sum.local += 1 - x.Attempts
			sum.bytes += x.ResponseBody
		}
		for _, n := range got.Notes {
			if strings.HasPrefix(n, "left out") {
				sum.notes++
			}
		}
		sum.conns = len(got.Connections)
		if sum != want {
			t.Errorf("%s: %+v; want %+v", name, sum, want)
		}
	}
	if ran == 0 {
		t.Skip("no cases beside the checkout")
	}
}

// Both of Chrome's ways to name a connection are the same load.
func TestChromeBeforeAndSince(t *testing.T) {
	load := func(name func(id string) string) *trace.Trace {
		var entries []string
		for i := range 9 {
			entries = append(entries, one(fmt.Sprintf("https://a/%d", i), `"status":200,"headersSize":100,"bodySize":500,"content":{"size":500},"_transferSize":600`,
				name(fmt.Sprint(505+i/8))+`,"timings":{"wait":30,"receive":5}`))
		}
		got, err := Read(strings.NewReader(by("WebInspector", "", entries...)))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	before := load(func(id string) string { return `"connection":"` + id + `"` })
	since := load(func(id string) string { return `"connection":"443","_connectionId":"` + id + `"` })
	if a, b := fmt.Sprintf("%+v", before), fmt.Sprintf("%+v", since); a != b || len(before.Connections) != 2 {
		t.Errorf("before\n%s\nsince\n%s", a, b)
	}
}
