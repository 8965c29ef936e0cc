package report

import (
	"testing"

	"linger"
	"linger/audit"
	"linger/audit/change"
	"linger/finding"
)

// Servers that clients name alike, as behind a proxy that hands Host on, are told apart.
func TestAuditOriginsOfOneName(t *testing.T) {
	r := &audit.Result{Origins: []audit.GroupRow{
		{Name: "192.0.2.1:80", Address: "192.0.2.1:80"}, {Name: "192.0.2.1:80", Address: "192.0.2.1:8080"},
		{Name: "shop.example", Address: "192.0.2.9:80"}, {Name: "shop.example", Address: "192.0.2.7:80"}, {Name: "one.example", Address: "192.0.2.7:80"},
		{Name: "many.example", Address: "192.0.2.9:8443"}, {Name: "many.example", Address: "192.0.2.9:9443"}, {Name: "p.example:80", Address: "192.0.2.9:80"}, {Name: "p.example:80", Address: "192.0.2.9:81"},
	}}
	for i, want := range []string{"192.0.2.1:80", "192.0.2.1:8080", "shop.example 192.0.2.9:80", "shop.example 192.0.2.7:80", "one.example", "many.example:8443", "many.example:9443", "p.example:80 192.0.2.9:80", "p.example:80 192.0.2.9:81"} {
		if got := AuditOrigins(r, 0, func(c audit.Cause) string { return string(c) }).Rows[i].Cells[0].Text; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func inWords(c audit.Cause) string { return "because of " + string(c) }

// What is not all is not written as all of it, nor what is something as nothing.
func TestSharesAreExactAtTheirEnds(t *testing.T) {
	for v, want := range map[float64]string{1: "100 %", 0.9999: "99.9 %", 0.997: "99.7 %", 0.994: "99 %", 0.001: "under 1 %", 0: "0 %"} {
		if got := finding.SharpShare(v); got != want {
			t.Errorf("%v: %q; want %q", v, got, want)
		}
	}
}

// Of many groups the first are shown; who waits for nothing has no time.
func TestAuditGroups(t *testing.T) {
	r := &audit.Result{Clients: []audit.GroupRow{
		{Address: "192.0.2.7", Opened: 40, Exchanges: 41, Reuse: linger.Known(0.024), Avoidable: 39, Waiting: linger.Known(2810.0), Needed: 6, Main: audit.ClientSaysClose},
		{Address: "192.0.2.8", Opened: 1, Exchanges: 30, Reuse: linger.Known(0.9667), Waiting: linger.Known(0.0)},
		{Address: "192.0.2.9", Opened: 2, Exchanges: 2},
	}}
	same(t, "clients", AuditClients(r, 2, inWords), `
client | opened | reqs | reuse | could avoid | waited | most in flight | mostly
192.0.2.7 | 40 | 41 | 2 % | 39 | 2.81 s | 6 | because of client-says-close
192.0.2.8 | 1 | 30 | 97 % | 0 |  | - |
and 1 other client (--wide)`)
	all := AuditClients(r, 0, inWords)
	if len(all.Rows) != 3 || all.More != "" {
		t.Errorf("%d rows, %q", len(all.Rows), all.More)
	}
}

func TestAuditCauses(t *testing.T) {
	r := &audit.Result{Causes: []audit.CauseRow{
		{Cause: audit.ServerIdle, Avoidable: true, Whose: audit.Servers, Connections: 12, Sure: 10, Price: finding.Price{Waiting: linger.Known(840.0), TimeWait: linger.Known(12.0)}},
		{Cause: audit.First, Connections: 3, Sure: 3},
	}}
	same(t, "causes", AuditCauses(r, inWords), `
why opened | code | avoidable | conns | certain | waiting | TIME_WAIT
because of server-idle | server-idle | yes, server | 12 | 10 | 840 ms | 12
because of first | first | no | 3 | 3 | - | -`)
}

// A limit is a value where one is claimed, a bracket where it lies in between, and else what was
// seen.
func TestAuditLimits(t *testing.T) {
	k := linger.Known[float64]
	r := &audit.Result{Limits: []audit.Limit{
		{Side: "server", Address: "192.0.2.1:80", Kind: "requests", Value: k(100), Claimed: true, Ends: 7},
		{Side: "server", Address: "192.0.2.1:80", Kind: "idle", Value: k(4.9988), Claimed: true, Ends: 12, Survived: 30, Longest: 4.5},
		{Side: "client", Address: "192.0.2.7", Kind: "idle", Low: k(10), High: k(15), Claimed: true, Ends: 2},
		{Side: "client", Address: "192.0.2.8", Kind: "idle", Low: k(1), High: k(90), Value: k(30), Ends: 9},
		{Side: "client", Address: "192.0.2.9", Kind: "idle", Survived: 3, Longest: 61},
	}}
	same(t, "limits", AuditLimits(r), `
limit of | kind | value | ends | survived | longest
server 192.0.2.1:80 | requests | 100 | 7 | 0 | -
server 192.0.2.1:80 | idle | 5.00 s | 12 | 30 | 4.5 s
client 192.0.2.7 | idle | 10.0 s to 15.0 s | 2 | 0 | -
client 192.0.2.8 | idle | 1.0 s to 90.0 s, median 30.0 s | 9 | 0 | -
client 192.0.2.9 | idle | none that is one | 0 | 3 | 61.0 s`)
}

func TestAuditRequestsAndHops(t *testing.T) {
	r := &audit.Result{RequestsPerConnection: audit.Distribution{N: 12, One: 9, Few: 2, Many: 1},
		Hops: []audit.Hop{{Proxy: "192.0.2.5", Upstream: "192.0.2.6:80", Clients: linger.Known(0.98), Reuse: linger.Known(0.02), Matched: 410}}}
	same(t, "requests", AuditRequests(r), `
requests a connection | conns
1 | 9
2 to 9 | 2
10 to 99 | 1
100 and more | 0`)
	same(t, "hops", AuditHops(r), `
proxy | clients reuse | upstream | it reuses | matched
192.0.2.5 | 98 % | 192.0.2.6:80 | 2 % | 410`)
}

// A figure of two audits has the digits of what it is; causes stand below, as shares of what was
// opened.
func TestAuditChange(t *testing.T) {
	k := linger.Known[float64]
	d := change.Change{
		Rows:   []change.Row{{Name: "reuse", Unit: "share", Before: k(0.5), After: k(0.999)}, {Name: "avoidable_waiting", Unit: "ms", Before: k(1234.5)}, {Name: "connections", Before: k(40), After: k(2)}},
		Causes: []change.Row{{Name: "first", Unit: "share", Before: k(0.1), After: k(1)}},
	}
	same(t, "the change", AuditChange(d, inWords), `
figure | before | after
reuse | 50 % | 99.9 %
avoidable waiting | 1.23 s | -
connections | 40 | 2
(opened since)
because of first | 10 % | 100 %`)
}
