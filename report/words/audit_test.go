package words

import (
	"strings"
	"testing"

	"linger"
	"linger/audit"
	"linger/audit/change"
	"linger/audit/handshake"
	"linger/audit/predict"
	"linger/finding"
)

// costs is a finding of an audit about an origin.
func costs(cause audit.Cause, connections float64, figures ...finding.Figure) finding.Finding {
	return finding.Finding{
		Code: string(cause), Cause: string(cause), Severity: finding.Warning, Subject: finding.Subject{Kind: "origin", Name: "shop.example", Of: "192.0.2.1:80"},
		Figures: append(finding.Figures{n("connections", connections), n("opened", 100), n("certain", connections)}, figures...),
		Price:   finding.Price{Connections: linger.Known(connections), Waiting: linger.Known(1234.5)},
	}
}

func between(name string, low, high float64) finding.Figure {
	return finding.Figure{Name: name, Unit: "ms", Interval: linger.Known(finding.Interval{Low: linger.Known(low), High: linger.Known(high), N: 7})}
}

func idleFor(ms float64) finding.Figure {
	f := between("idle", ms-20, ms+20)
	f.Value = linger.Known(ms)
	return f
}

// auditExamples has one of each code, at least.
var auditExamples = []struct {
	finding.Finding
	says string
}{
	{costs(audit.ServerIdle, 40, idleFor(5010), n("gap_median", 12300)), "40 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: the server closed after idling for 5.01 s; one was needed again after 12 s, median."},
	{costs(audit.ServerIdle, 1), "1 connection to shop.example (192.0.2.1:80), 1.23 s of waiting: the server closed after idling."},
	{costs(audit.ServerIdle, 9, between("idle", 2000, 5000)), "9 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: the server closed after idling (no single limit: 2.0 s to 5.0 s)."},
	{costs(audit.ClientIdle, 3, n("gap_median", 900)), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: the client closed after idling; one was needed again after 900 ms, median."},
	{costs(audit.RequestLimit, 3, n("request_limit", 100)), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: the server closed after 100 requests."},
	{costs(audit.RequestLimit, 3), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: the server closed after a number of requests."},
	{costs(audit.MaxAge, 3, between("age", 59800, 61000)), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: the server closed at an age of 59.8 s to 61.0 s."},
	{costs(audit.ServerSaysClose, 1, n("requests_least", 4), n("requests_most", 4)), "1 connection to shop.example (192.0.2.1:80), 1.23 s of waiting: the server announced its close of the one before (Connection: close, or HTTP/1.0), after 4 requests."},
	{costs(audit.ServerClosesAtOnce, 3, n("requests_least", 4), n("requests_most", 9)), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: the server closed as soon as it had answered, unannounced, after 4 to 9 requests."},
	{costs(audit.ServerSaysClose, 3), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: the server announced its close of the one before (Connection: close, or HTTP/1.0)."},
	{costs(audit.ServerClosesAtOnce, 3), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: the server closed as soon as it had answered, unannounced."},
	{costs(audit.ClientSaysClose, 3), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: the client asked to close the one before (Connection: close, or HTTP/1.0)."},
	{costs(audit.ClientClosesAtOnce, 3), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: the client closed as soon as it had its response: it keeps no connections, or ends after each request."},
	{costs(audit.ClientPoolFull, 3), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: the client closed those that did not fit into its pool, as others stayed idle."},
	{costs(audit.ClientAborts, 3), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: the client closed before the response had ended: bodies are not read to their end, or requests are cancelled."},
	{costs(audit.IdleUnused, 3), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: an idle, usable connection was open: the client has no pool, or several (processes, workers, threads)."},
	{finding.Finding{Code: string(audit.IdleUnused), Subject: finding.Subject{Kind: "origin", Name: "192.0.2.1:80", Of: "192.0.2.1:80"}, Figures: figures{n("connections", 3), n("certain", 2)}},
		"3 connections to 192.0.2.1:80: an idle, usable connection was open: the client has no pool, or several (processes, workers, threads); 2 of the idle ones were seen to be alive afterwards."},
	{costs(audit.Restart, 3), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: the server ended several at once, of different ages: a restart or reload."},
	{costs(audit.Race, 3, idleFor(5000)), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: a request crossed the FIN of the server, which closes after idling for 5.00 s."},
	{costs(audit.StaleReuse, 3), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: a request was sent on a connection that the server had closed: the pool does not look."},
	{costs(audit.StaleReuse, 3, idleFor(5000)), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: a request was sent on a connection that the server had closed after idling for 5.00 s: the pool does not look."},
	{costs(audit.SilentDrop, 3, n("gap_median", 350000)), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: after idling nothing was answered any more: a NAT, firewall or load balancer forgot it; one was needed again after 350 s, median."},
	{costs(audit.EndedBetween, 3), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: a device in between ended the one before, by an RST or a FIN that the other end never sent."},
	{costs(audit.Failure, 3), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: the connection before broke: reset, time-out, or a response cut short."},
	{costs(audit.NotCoalesced, 3), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: an open connection to the same address has a certificate that covers the name."},
	{costs(audit.IdleUnused, 3, n("shared", 2)), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: an idle, usable connection was open: the client has no pool, or several (processes, workers, threads); 2 had requests under way and room for more streams."},
	{costs(audit.NotCoalesced, 3, n("credentials", 2)), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: an open connection to the same address has a certificate that covers the name; 2 and that one carried credentials, which a client may want to keep apart."},
	{costs(audit.Failure, 3, word("code", "ENHANCE_YOUR_CALM")), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: the connection before was ended in error: ENHANCE_YOUR_CALM mostly."},
	{costs(audit.Cause(audit.ResumptionUnused), 3, n("full_ms", 24.2), n("full_bytes", 3100), n("certificate_bytes", 2000), n("resumed_ms", 12.3), n("resumed_bytes", 900)),
		"3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: a full TLS handshake, though the server had given the client what to resume by; full takes 24.2 ms, 3.1 kB (certificates 2.0 kB), resumed 12.3 ms, 900 B."},
	{costs(audit.Cause(audit.ResumptionUnused), 3), "3 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: a full TLS handshake, though the server had given the client what to resume by; what it takes was not recorded."},
	{costs(audit.Cause(audit.ResumptionRefused), 5, n("full_ms", 24.2), n("elsewhere", 3), n("restarted", 2)),
		"5 connections to shop.example (192.0.2.1:80), 1.23 s of waiting: the client asked to resume, and the server would not; 3 asked with what another address had given: servers do not share ticket keys; 2 asked with what was given before a restart; full takes 24.2 ms; no resumed one was seen."},
	{finding.Finding{Code: audit.HopReuse, Subject: finding.Subject{Kind: "hop", Name: "10.0.0.1:80", Of: "10.0.0.2:8080"}, Figures: figures{n("clients", .97), n("upstream", 0)}},
		"Proxy 10.0.0.1:80: 97 % of its clients' requests reuse a connection, and 0 % of its own to 10.0.0.2:8080."},
	{finding.Finding{Code: "later", Figures: figures{n("connections", 3)}}, "later, connections 3."},
}

func TestAuditFindings(t *testing.T) {
	told := map[string]bool{}
	for _, x := range auditExamples {
		told[x.Code] = true
		if got := AuditFinding(x.Finding); got != x.says {
			t.Errorf("%s:\n%s\nwant\n%s", x.Code, got, x.says)
		}
	}
	for code := range auditSays() {
		if !told[code] {
			t.Errorf("%s has no example", code)
		}
	}
	for _, c := range audit.Causes() {
		if c.Avoidable && !told[string(c.Code)] {
			t.Errorf("%s has no sentence", c.Code)
		}
		if CauseLabel(c.Code) == string(c.Code) || len(CauseLabel(c.Code)) > 29 {
			t.Errorf("%s is called %q in tables", c.Code, CauseLabel(c.Code))
		}
		if c.Avoidable && AuditHint(finding.Finding{Cause: string(c.Code)}) == "" {
			t.Errorf("%s: nobody's setting", c.Code)
		}
	}
}

func TestAuditCaveats(t *testing.T) {
	for code := range auditCaveats() {
		got := AuditCaveat(finding.Caveat{Code: code, Subject: finding.Subject{Name: "a.pcap"}, Figures: figures{n("connections", 3), n("bytes", 4096), n("records", 2), n("frames", 5), word("reason", "it ends within a packet"), word("link", "DLT 147")}})
		if got == "" || strings.HasSuffix(got, ".") || strings.Contains(got, "%!") || strings.Contains(got, "not known, ") {
			t.Errorf("%s: %q", code, got)
		}
	}
	for _, c := range []struct {
		finding.Caveat
		want string
	}{
		{finding.Caveat{Code: audit.CaveatFile, Subject: finding.Subject{Name: "a.txt"}, Figures: figures{n("frames", 0), word("reason", "it is no capture")}}, "a.txt was not read: it is no capture"},
		{finding.Caveat{Code: audit.CaveatNoTrip, Figures: figures{n("connections", 2), n("measured", 0)}}, "of 2 connections the handshake was not recorded whole: the distance to the client is not known"},
		{finding.Caveat{Code: audit.CaveatNear, Figures: figures{n("connections", 2), n("round_trip", .0312)}}, "a round trip takes 0.03 ms here, as on one machine: handshakes take longer over a network"},
	} {
		if got := AuditCaveat(c.Caveat); got != c.want {
			t.Error(got)
		}
	}
	if got := AuditCaveat(finding.Caveat{Code: audit.CaveatMissing, Figures: figures{n("connections", 3), n("bytes", 4096)}}); got != "of 3 connections a part was not recorded, 4.1 kB in all: what was in it is not known" {
		t.Error(got)
	}
}

// What a change would save is said in the words of the setting, and how to ask for it.
func TestAuditBest(t *testing.T) {
	for _, test := range []struct{ setting, want string }{
		{"server-idle=75s", "Saves most (predicted): at shop.example, the server keeps idle connections for 75 s: 12 connections instead of 340, 451 ms of waiting instead of 12.1 s (--what-if server-idle=75s)."},
		{"idle=90s", "clients keep idle connections for 90 s"},
		{"connections=8", "each client has a pool of at most 8, and keeps them"},
		{"connections=8,idle=90s", "each client has a pool of at most 8, and keeps them for 90 s"},
		{"order=lru", "clients use the connection first that has idled for longest"},
		{"order=mru", "clients use the connection first that was used last"},
		{"max-requests=1000", "the server takes 1000 requests on a connection"},
		{"h2,resume", "each client sends all on one connection of HTTP/2, TLS sessions are resumed"},
	} {
		setting, err := predict.ParseSetting(test.setting)
		if err != nil {
			t.Fatal(err)
		}
		o := predict.Outcome{Opened: 12, Waiting: linger.Known(450.), Queueing: linger.Known(1.), Instead: predict.Observed{Opened: 340, Waiting: linger.Known(12_100.)}}
		r := audit.Result{Best: linger.Known(predict.Prediction{Setting: setting, Text: setting.String(), All: o, Origins: []predict.Of{{Name: "shop.example", Outcome: o}}})}
		if got := AuditBest(&r); !strings.Contains(got, test.want) {
			t.Errorf("%s\nwant\n%s", got, test.want)
		}
	}
	if got := AuditBest(&audit.Result{}); got != "" {
		t.Errorf("none is best: %s", got)
	}
}

func TestAuditWhatIfs(t *testing.T) {
	for _, code := range []predict.CaveatCode{predict.BeganBefore, predict.Unanswered, predict.Inferred, predict.Saturated, predict.Unlimited, predict.LeftOut, predict.NotKept, predict.Adrift} {
		r := audit.Result{WhatIf: []predict.Prediction{{Caveats: []predict.Caveat{{Code: code, N: 3}}}, {Caveats: []predict.Caveat{{Code: code, N: 3}}}}}
		if got := AuditWhatIfs(&r); len(got) != 1 || strings.Contains(got[0], string(code)+": 3") || !strings.Contains(got[0], "3 ") {
			t.Errorf("%s: %q", code, got)
		}
	}
}

func TestAuditAnswers(t *testing.T) {
	for _, test := range []struct {
		r    audit.Result
		want string
	}{
		{audit.Result{}, "There is no packet in it."},
		{audit.Result{Filtered: 6, Recording: linger.Known(audit.Recording{Frames: 20})}, "None of 6 connections is what was asked for."},
		{audit.Result{Recording: linger.Known(audit.Recording{Frames: 20})}, "There is no connection in its 20 packets."},
		{audit.Result{Recording: linger.Known(audit.Recording{Frames: 20, OtherUDP: 6})}, "There is no connection in it, but 6 flows of UDP that is neither DNS nor QUIC."},
		{audit.Result{Connections: 3, Opened: 3, Causes: []audit.CauseRow{{Cause: audit.NoExchange, Connections: 2, Sure: 2}}}, "Reuse is not known: no request could be read. Avoidable: none of 3 opened connections. Without a request: 2 of them, refused, opened ahead or scanned."},
		{audit.Result{Connections: 3, Opened: 3, Causes: []audit.CauseRow{{Cause: audit.NoExchange, Connections: 2, Sure: 1}}}, "Reuse is not known: no request could be read. Avoidable: none of 3 opened connections. Without a request: 2 of them, refused, opened ahead or scanned, or open at the end."},
		{audit.Result{Connections: 3, Opened: 3, TLS: linger.Known(handshake.Section{Connections: 1310, Keys: linger.Known(handshake.Keys{With: 1210, Decrypted: 1204, Partly: 4, Wrong: 2})})}, "Reuse is not known: no request could be read. Avoidable: none of 3 opened connections. Decrypted: 1204 of 1310 encrypted connections (keys for 1210; 4 in part; 2 wrong)."},
		{audit.Result{Connections: 3, Opened: 3, TLS: linger.Known(handshake.Section{Connections: 3, Inferred: 2, Full: handshake.Kind{N: 2}, Resumed: handshake.Kind{N: 1}, Unused: linger.Known(1)})},
			"Reuse is not known: no request could be read. Avoidable: none of 3 opened connections. Encrypted: 3 connections, requests inferred on 2; --keylog FILE reads them. Resumed: 1 of 3 TLS handshakes; at most 1 more could have been."},
		{audit.Result{Connections: 1, Opened: 1, TLS: linger.Known(handshake.Section{Connections: 1, Full: handshake.Kind{N: 1}}), Caveats: []finding.Caveat{{Code: audit.CaveatKeyLog, Subject: finding.Subject{Name: "keys"}}}},
			"Reuse is not known: no request could be read. Avoidable: none of 1 opened connection. Encrypted: 1 connection, requests not known; keys holds no TLS keys."},
		{audit.Result{Connections: 3, Opened: 3, TLS: linger.Known(handshake.Section{Connections: 3, Keys: linger.Known(handshake.Keys{})})}, "Reuse is not known: no request could be read. Avoidable: none of 3 opened connections. Decrypted: none of 3 encrypted connections: the keys are of others."},
		{audit.Result{Datagrams: audit.Aside{Connections: 2, Exchanges: 3}}, "No connection is left that carried ordinary requests. Left out: 2 flows of DNS over UDP, which opens no connection; 3 requests."},
		{audit.Result{Connections: 2, BeganBefore: 2}, "Reuse is not known: no connection was seen to begin."},
		{audit.Result{Connections: 2, Opened: 2, Undecided: 1}, "Reuse is not known: no request could be read. Avoidable: none of 2 opened connections; why 1 was opened is not known."},
		{audit.Result{Connections: 9, Opened: 8, Exchanges: 1000, Reuse: linger.Known(.9992), Avoidable: 7, AvoidableWaiting: linger.Known(123.4), HandshakeShare: linger.Known(.31), HealthChecks: audit.Aside{Connections: 4}, Streams: audit.Aside{Connections: 1}},
			"Reused: 99.9 % of 1000 requests were not the first on their connection. Avoidable: at most 7 of 8 opened connections, 123 ms of waiting in all. Handshakes are 31 % of the time that clients waited. Left out: 4 connections of health checks, and 1 that became streams or tunnels."},
	} {
		if got := strings.Join(Audit(&test.r), " "); got != test.want {
			t.Errorf("%s\nwant\n%s", got, test.want)
		}
	}
}

func TestAuditChange(t *testing.T) {
	before := &audit.Result{Opened: 10, Exchanges: 10, Reuse: linger.Known(0.), Avoidable: 9}
	after := &audit.Result{Opened: 1, Exchanges: 10, Reuse: linger.Known(.9)}
	if got := strings.Join(AuditChange(change.Of(before, after)), " "); got != "Reuse went from 0 % to 90 %. The share of avoidable connections went from 90 % to 0 %." {
		t.Error(got)
	}
	if got := strings.Join(AuditChange(change.Of(before, before)), " "); got != "Reuse is 0 %, as before. The share of avoidable connections is 90 %, as before." {
		t.Error(got)
	}
	if got := strings.Join(AuditChange(change.Of(&audit.Result{}, after)), " "); got != "Reuse is not known of both. The share of avoidable connections is not known of both." {
		t.Error(got)
	}
}

// What --wide says of encrypted connections.
func TestAuditTLS(t *testing.T) {
	r := &audit.Result{TLS: linger.Known(handshake.Section{
		Connections: 9, Versions: map[string]int{"1.3": 6, "1.2": 3}, ALPN: map[string]int{"h2": 5, "": 4}, Full: handshake.Kind{N: 7}, Resumed: handshake.Kind{N: 2}, Asked: 3, Refused: 1, Unused: linger.Known(4),
		Ticketed: 6, Tickets: 12, EarlyData: 1, Alerts: map[string]int{"unknown_ca": 1}, Unnotified: handshake.Unnotified{Client: 2, Server: 1, Of: 8},
	}), Coalesced: audit.Coalesced{Connections: 1, Origins: 2, Requests: 30}}
	r.Inference.Add(false, 40, 40)
	r.Inference.Add(false, 20, 17)
	r.Inference.Add(true, 41, 5)
	want := "Versions: TLS 1.3 6, TLS 1.2 3. ALPN chosen: h2 5, none 4. Resumption: asked for in 3 of 9 handshakes, refused in 1; 4 could have asked and did not. Tickets: 12 on 6 connections. In 1 handshake early data was taken. Alerts: unknown_ca 1. " +
		"Of 8 connections that a FIN ended, the client sent no close_notify before on 2, the server on 1. Without keys, 57 of 60 requests would be inferred on 2 connections, exactly on 1. Without keys, 5 of 41 requests would be inferred on 1 connection with several at once, exactly on 0. Coalesced: 1 connection carried 30 requests for 2 origins besides their first."
	if got := strings.Join(AuditTLS(r), " "); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if AuditTLS(&audit.Result{}) != nil {
		t.Error("nothing is encrypted")
	}
}

// A day is not told in seconds.
func TestRecorded(t *testing.T) {
	for ms, want := range map[float64]string{212: "212 ms", 27_600: "27.6 s", 1_800_000: "30 min", 86_400_000: "24.0 h", 604_800_000: "7 days"} {
		if got := recorded(ms); got != want {
			t.Errorf("%v ms is %q; want %q", ms, got, want)
		}
	}
}
