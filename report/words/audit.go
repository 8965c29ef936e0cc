package words

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/audit"
	"linger/audit/change"
	"linger/audit/predict"
	"linger/finding"
	"linger/keepalive"
	"linger/legible"
)

// A ToldAudit is what an audit found with its sentences beside the data, as JSON has it.
type ToldAudit struct {
	*audit.Result
	Text     string        `json:"text"`
	Findings []ToldFinding `json:"findings"`
	Caveats  []ToldCaveat  `json:"caveats"`
}

// A ToldFinding is a finding with its sentence.
type ToldFinding struct {
	Text string `json:"text"`
	finding.Finding
}

// OfAudit says what an audit found.
func OfAudit(r *audit.Result) ToldAudit {
	told := ToldAudit{Result: r, Text: strings.Join(Audit(r), "\n"), Findings: []ToldFinding{}, Caveats: []ToldCaveat{}}
	for _, f := range r.Findings {
		told.Findings = append(told.Findings, ToldFinding{AuditFinding(f), f})
	}
	for _, c := range r.Caveats {
		told.Caveats = append(told.Caveats, ToldCaveat{c.Code, AuditCaveat(c), c.Cause, c.Subject, c.Figures, c.Decisive})
	}
	return told
}

// Audit answers what was asked of a recording: how much is reused, how many connections
// need not have been opened, and what that takes. Each answer is a line.
func Audit(r *audit.Result) []string {
	var out []string
	reuse, ok := r.Reuse.Get()
	switch {
	case r.Connections == 0 && r.HealthChecks.Connections+r.Streams.Connections+r.Datagrams.Connections == 0:
		return []string{nothingIn(r)}
	case r.Connections == 0:
		out = append(out, "No connection is left that carried ordinary requests.")
	case ok:
		out = append(out, fmt.Sprintf("Reused: %s of %s were not the first on their connection.", finding.SharpShare(reuse), finding.Plural(float64(r.Exchanges), "request")))
	case r.Opened == 0 && r.BeganBefore > 0:
		out = append(out, "Reuse is not known: no connection was seen to begin.")
	case r.BeganBefore == 0:
		out = append(out, "Reuse is not known: no request could be read.")
	default:
		out = append(out, "Reuse is not known: no request could be read on a connection that was seen to begin.")
	}
	if r.Opened > 0 {
		text := fmt.Sprintf("Avoidable: at most %s of %s", whole(float64(r.Avoidable)), finding.Plural(float64(r.Opened), "opened connection"))
		if r.Avoidable == 0 {
			text = fmt.Sprintf("Avoidable: none of %s", finding.Plural(float64(r.Opened), "opened connection"))
		}
		if ms, ok := r.AvoidableWaiting.Get(); ok && r.Avoidable > 0 && ms > 0 {
			text += fmt.Sprintf(", %s of waiting in all", finding.Waited(ms))
		}
		if r.Undecided > 0 {
			text += fmt.Sprintf("; why %s %s is not known", whole(float64(r.Undecided)), verb(r.Undecided, "was opened", "were opened"))
		}
		out = append(out, text+".")
	}
	out = append(out, encrypted(r)...)
	out = append(out, joined(r)...)
	for _, c := range r.Causes {
		if c.Cause == audit.NoExchange && c.Connections > 0 {
			text := fmt.Sprintf("Without a request: %s of them, refused, opened ahead or scanned", whole(float64(c.Connections)))
			if c.Sure < c.Connections {
				text += ", or open at the end"
			}
			out = append(out, text+".")
		}
	}
	if share, ok := r.HandshakeShare.Get(); ok {
		out = append(out, fmt.Sprintf("Handshakes are %s of the time that clients waited.", finding.Share(share)))
	}
	if text := AuditBest(r); text != "" {
		out = append(out, text)
	}
	checks, streams := r.HealthChecks.Connections, r.Streams.Connections
	switch {
	case checks > 0 && streams > 0:
		out = append(out, fmt.Sprintf("Left out: %s of health checks, and %d that became streams or tunnels.", finding.Plural(float64(checks), "connection"), streams))
	case checks > 0:
		out = append(out, fmt.Sprintf("Left out: %s of health checks.", finding.Plural(float64(checks), "connection")))
	case streams > 0:
		out = append(out, fmt.Sprintf("Left out: %s that became streams or tunnels.", finding.Plural(float64(streams), "connection")))
	}
	if d := r.Datagrams; d.Connections > 0 {
		out = append(out, fmt.Sprintf("Left out: %s of DNS over UDP, which opens no connection; %s.", finding.Plural(float64(d.Connections), "flow"), finding.Plural(float64(d.Exchanges), "request")))
	}
	return out
}

// joined says what came of joining captures of both ends; nothing where there is one alone.
func joined(r *audit.Result) (out []string) {
	j, ok := r.Joined.Get()
	if !ok {
		return nil
	}
	all := j.Matched + j.OnlyClient + j.OnlyServer
	text := fmt.Sprintf("Joined: %s of %s in both captures", whole(float64(j.Matched)), finding.Plural(float64(all), "connection"))
	for _, one := range []struct {
		n    int
		what string
	}{
		{j.OnlyClient, "at the client only"}, {j.OnlyServer, "at the server only"}, {j.Matched - j.Sure, "matched by addresses, ports and times alone"},
		{j.Translated, "with other addresses or ports at the server"}, {j.Outside, "outside of the time of the other capture"},
	} {
		if one.n > 0 {
			text += fmt.Sprintf("; %s %s", whole(float64(one.n)), one.what)
		}
	}
	out = append(out, text+".")
	if c, ok := j.Clock.Get(); ok {
		way := "ahead of"
		if c.Offset < 0 {
			way = "behind"
		}
		text := fmt.Sprintf("Clocks: the server's is %.2f ms %s the client's, ± %.2f ms, by %s", max(c.Offset, -c.Offset), way, c.Error, finding.Plural(float64(c.Handshakes), "handshake"))
		if drift, ok := c.Drift.Get(); ok {
			text += fmt.Sprintf("; it drifts by %.1f ppm", drift)
		}
		if c.Jumps > 0 {
			text += fmt.Sprintf("; one of both was set %s", finding.Plural(float64(c.Jumps), "time"))
		}
		out = append(out, text+".")
	}
	var acts []string
	for _, one := range []struct {
		n    int
		what string
	}{{j.Reset, "reset, and neither end sent that RST"}, {j.Forgot, "forgotten"}, {j.Closed, "closed, and the other end never sent that FIN"}, {j.SYNs, "whose SYN did not come at first"}} {
		if one.n > 0 {
			acts = append(acts, fmt.Sprintf("%s %s", whole(float64(one.n)), one.what))
		}
	}
	text = "In between: nothing was done to a connection"
	if len(acts) > 0 {
		text = "In between: " + strings.Join(acts, "; ")
	}
	if sent, lost := j.Up.Sent+j.Down.Sent, j.Up.Lost+j.Down.Lost; sent > 0 && lost > 0 {
		text += fmt.Sprintf("; %d of %d packets towards the server were lost, %d of %d towards the client", j.Up.Lost, j.Up.Sent, j.Down.Lost, j.Down.Sent)
	}
	return append(out, text+".")
}

// encrypted says how much is encrypted, how much of that keys decrypt, and how many handshakes
// were resumed; nothing where nothing is encrypted.
func encrypted(r *audit.Result) (out []string) {
	x, ok := r.TLS.Get()
	if !ok {
		return nil
	}
	k, keyed := x.Keys.Get()
	switch {
	case r.Source != "" && x.Inferred == 0:
		// Whoever recorded it knew what was said, or keys would not help.
	case !keyed:
		text := "Encrypted: " + finding.Plural(float64(x.Connections), "connection")
		if x.Inferred > 0 {
			text += fmt.Sprintf(", requests inferred on %s", whole(float64(x.Inferred)))
		} else {
			text += ", requests not known"
		}
		way := "--keylog FILE reads them"
		if i := slices.IndexFunc(r.Caveats, func(c finding.Caveat) bool { return c.Code == audit.CaveatKeyLog }); i >= 0 {
			way = r.Caveats[i].Subject.Name + " holds no TLS keys"
		}
		out = append(out, text+"; "+way+".")
	case k.With == 0:
		out = append(out, fmt.Sprintf("Decrypted: none of %s: the keys are of others.", finding.Plural(float64(x.Connections), "encrypted connection")))
	default:
		text := fmt.Sprintf("Decrypted: %s of %s (keys for %s", noneOr(float64(k.Decrypted)), finding.Plural(float64(x.Connections), "encrypted connection"), whole(float64(k.With)))
		for _, one := range []struct {
			n    int
			what string
		}{{k.Partly, "in part"}, {k.Wrong, "wrong"}} {
			if one.n > 0 {
				text += fmt.Sprintf("; %s %s", whole(float64(one.n)), one.what)
			}
		}
		out = append(out, text+").")
	}
	// One handshake alone, and those that could not have been resumed, say nothing.
	unused, known := x.Unused.Get()
	if n := x.Full.N + x.Resumed.N; n > 0 && (x.Resumed.N > 0 || x.Refused > 0 || unused > 0 || !known && n > 1) {
		text := fmt.Sprintf("Resumed: %s of %s", noneOr(float64(x.Resumed.N)), finding.Plural(float64(n), "TLS handshake"))
		if unused > 0 {
			text += fmt.Sprintf("; at most %s more could have been", whole(float64(unused)))
		}
		out = append(out, text+".")
	}
	return out
}

// AuditAsserted says what assertions stand on that was inferred; "" is nothing.
func AuditAsserted(r *audit.Result) string {
	x, _ := r.TLS.Get()
	if len(r.Asserted) == 0 || x.Inferred == 0 {
		return ""
	}
	return fmt.Sprintf("requests, and reuse, are inferred on %s (docs/inference.md): what is asserted of them is so, too; --keylog reads them",
		finding.Plural(float64(x.Inferred), "connection"))
}

// AuditTLS says of encrypted connections what no table has, a sentence each.
func AuditTLS(r *audit.Result) []string {
	x, ok := r.TLS.Get()
	if !ok {
		return nil
	}
	var out []string
	if text := listed(x.Versions, func(v string) string { return "TLS " + v }); text != "" {
		out = append(out, "Versions: "+text+".")
	}
	if text := listed(x.ALPN, func(v string) string {
		if v == "" {
			return "none"
		}
		return v
	}); text != "" {
		out = append(out, "ALPN chosen: "+text+".")
	}
	if n := x.Full.N + x.Resumed.N; n > 0 {
		text := fmt.Sprintf("Resumption: asked for in %s of %s, refused in %s", whole(float64(x.Asked)), finding.Plural(float64(n), "handshake"), whole(float64(x.Refused)))
		if n, ok := x.Unused.Get(); ok {
			text += fmt.Sprintf("; %s could have asked and did not", whole(float64(n)))
		}
		out = append(out, text+".")
	}
	if x.Ticketed > 0 {
		out = append(out, fmt.Sprintf("Tickets: %s on %s.", whole(float64(x.Tickets)), finding.Plural(float64(x.Ticketed), "connection")))
	}
	for _, one := range []struct {
		n    int
		what string
	}{{x.EarlyData, "early data was taken"}, {x.Retried, "the server wanted another hello, a round trip more"}, {x.ECH, "the client's hello had an encrypted one inside (ECH)"}} {
		if one.n > 0 {
			out = append(out, fmt.Sprintf("In %s %s.", finding.Plural(float64(one.n), "handshake"), one.what))
		}
	}
	if text := listed(x.Alerts, func(v string) string { return v }); text != "" {
		out = append(out, "Alerts: "+text+".")
	}
	if u := x.Unnotified; u.Client+u.Server > 0 {
		out = append(out, fmt.Sprintf("Of %s that a FIN ended, the client sent no close_notify before on %s, the server on %s.", finding.Plural(float64(u.Of), "connection"), whole(float64(u.Client)), whole(float64(u.Server))))
	}
	out = append(out, inferences(r)...)
	if c := r.Coalesced; c.Connections > 0 {
		out = append(out, fmt.Sprintf("Coalesced: %s carried %s for %s besides their first.", finding.Plural(float64(c.Connections), "connection"), finding.Plural(float64(c.Requests), "request"), finding.Plural(float64(c.Origins), "origin")))
	}
	return out
}

// inferences say how far requests inferred from sizes and times are off where keys show them.
func inferences(r *audit.Result) (out []string) {
	say := func(connections, requests, inferred, exact int, what string) {
		if connections > 0 {
			out = append(out, fmt.Sprintf("Without keys, %s of %s would be inferred on %s%s, exactly on %s.", whole(float64(inferred)), finding.Plural(float64(requests), "request"),
				finding.Plural(float64(connections), "connection"), what, whole(float64(exact))))
		}
	}
	alone, together := r.Inference.Alone, r.Inference.Together
	say(alone.Connections, alone.Requests, alone.Inferred, alone.Exact, "")
	say(together.Connections, together.Requests, together.Inferred, together.Exact, " with several at once")
	return out
}

// listed are names with how often each was counted, the most often first.
func listed(of map[string]int, say func(string) string) string {
	names := slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b)) })
	var out []string
	for _, n := range names {
		out = append(out, fmt.Sprintf("%s %s", legible.Text(say(n)), whole(float64(of[n]))))
	}
	return strings.Join(out, ", ")
}

// nothingIn says what a recording without a connection has instead.
func nothingIn(r *audit.Result) string {
	held := r.Recording.Or(audit.Recording{})
	switch {
	case r.Filtered > 0:
		return fmt.Sprintf("None of %s is what was asked for.", finding.Plural(float64(r.Filtered), "connection"))
	case held.OtherUDP > 0:
		return fmt.Sprintf("There is no connection in it, but %s of UDP that is neither DNS nor QUIC.", finding.Plural(float64(held.OtherUDP), "flow"))
	case held.Frames > 0:
		return fmt.Sprintf("There is no connection in its %s.", finding.Plural(float64(held.Frames), "packet"))
	}
	return "There is no packet in it."
}

// CauseLabel is a cause in a few words, for a table.
func CauseLabel(c audit.Cause) string {
	if s, ok := causeLabels()[c]; ok {
		return s
	}
	return string(c)
}

// AuditLimit says after how long a side closes what is idle, and how that is known.
func AuditLimit(l audit.Limit) string {
	who := l.Side + " " + legible.Text(l.Address)
	say := func(seconds float64) string { return finding.Duration(1000*seconds, 10) }
	low, high := say(l.Low.Or(0)), say(l.High.Or(0))
	how := finding.Plural(float64(l.Ends), "close")
	if l.Survived > 0 {
		how += " and " + finding.Plural(float64(l.Survived), "gap") + " that ended otherwise"
	}
	if l.Claimed {
		return fmt.Sprintf("%s closes after %s (%s to %s; %s)", who, say(l.Value.Or(0)), low, high, how)
	}
	return fmt.Sprintf("%s has no single limit: it closes after %s to %s, median %s (%s)", who, low, high, say(l.Value.Or(0)), how)
}

// AuditDrawn says how many of the connections of a drawing are drawn singly.
func AuditDrawn(singles, all, each int) string {
	if singles == all {
		return fmt.Sprintf("Each of %s is drawn singly.", finding.Plural(float64(all), "connection"))
	}
	return fmt.Sprintf("%s of %s are kept singly: those that findings name, and of the others one in %s, evenly. All are counted.",
		whole(float64(singles)), finding.Plural(float64(all), "connection"), whole(float64(each)))
}

// AuditGridAxes are what the controls of predict.Grid may be set to: for how long a pool keeps idle
// connections, how many it has at most, and which of them takes a request.
func AuditGridAxes() (idle, connections, orders []string) {
	for _, s := range predict.GridIdle {
		if s == 0 {
			idle = append(idle, "as long as observed")
			continue
		}
		idle = append(idle, finding.Duration(1000*s, 1))
	}
	for _, n := range predict.GridConnections {
		if n == 0 {
			connections = append(connections, "as many as observed")
			continue
		}
		connections = append(connections, fmt.Sprint(n))
	}
	for _, o := range predict.GridOrder {
		orders = append(orders, map[string]string{predict.MRU: "the most recently used", predict.LRU: "the least recently used"}[o])
	}
	return idle, connections, orders
}

// AuditGridBegins says what the controls are set to at first: the change that saves most, or the
// limits that were observed.
func AuditGridBegins(best bool) string {
	if best {
		return "At first it is the change that saves most."
	}
	return "At first it is a pool with the limits that were observed."
}

// KindLabel is a cause in a few words, or what a connection without one is.
func KindLabel(kind string) string {
	switch kind {
	case audit.CaveatBeganBefore:
		return "open before the recording"
	case string(audit.Check):
		return "health check"
	case string(audit.Streaming):
		return "stream or tunnel"
	case string(audit.Datagrams):
		return "DNS over UDP"
	}
	return CauseLabel(audit.Cause(kind))
}

func causeLabels() map[audit.Cause]string {
	return map[audit.Cause]string{
		audit.First: "the first to its origin", audit.Concurrency: "all others were busy", audit.IdleUnused: "an idle one was not used",
		audit.ClientSaysClose: "client asked to close", audit.ClientClosesAtOnce: "client closed at once", audit.ClientPoolFull: "client's pool was full",
		audit.ClientAborts: "client broke off", audit.ClientIdle: "client's idle limit", audit.ServerSaysClose: "server announced close",
		audit.ServerClosesAtOnce: "server closed at once", audit.ServerIdle: "server's idle limit", audit.RequestLimit: "server's request limit",
		audit.MaxAge: "server's age limit", audit.Restart: "server was restarted", audit.Race: "race with the server's close",
		audit.StaleReuse: "closed one was used", audit.SilentDrop: "forgotten on the way", audit.EndedBetween: "ended on the way", audit.Failure: "the one before broke",
		audit.NotCoalesced: "not coalesced", audit.OtherAddress: "another address", audit.Identity: "another name or protocol",
		audit.NoExchange: "carried no request", audit.Undecided: "not known",
	}
}

// auditSays are what is to be said of each finding, behind how many connections it is of.
func auditSays() map[string]func(finding.Finding) string {
	plain := func(text string) func(finding.Finding) string { return func(finding.Finding) string { return text } }
	return map[string]func(finding.Finding) string{
		string(audit.IdleUnused): func(f finding.Finding) string {
			text := "an idle, usable connection was open: the client has no pool, or several (processes, workers, threads)"
			sure, all := f.Figures.Value("certain").Or(0), f.Figures.Value("connections").Or(0)
			if sure < all {
				text += fmt.Sprintf("; %s of the idle ones were seen to be alive afterwards", noneOr(sure))
			}
			if shared := f.Figures.Value("shared").Or(0); shared > 0 {
				text += fmt.Sprintf("; %s had requests under way and room for more streams", whole(shared))
			}
			return text
		},
		string(audit.ClientSaysClose): plain("the client asked to close the one before (Connection: close, or HTTP/1.0)"),
		string(audit.ClientClosesAtOnce): func(f finding.Finding) string {
			resets, all := f.Figures.Value("resets").Or(0), f.Figures.Value("connections").Or(0)
			switch text := "the client closed as soon as it had its response: it keeps no connections, or ends after each request"; {
			case resets == 0:
				return text
			case resets < all:
				return text + fmt.Sprintf("; %s by RST, as where a body is not read to its end", whole(resets))
			}
			return "the client reset it as soon as the response was there, as where a body is not read to its end"
		},
		string(audit.ClientPoolFull): plain("the client closed those that did not fit into its pool, as others stayed idle"),
		string(audit.ClientAborts):   plain("the client closed before the response had ended: bodies are not read to their end, or requests are cancelled"),
		string(audit.ClientIdle):     func(f finding.Finding) string { return "the client closed after idling" + needed(f) },
		string(audit.ServerSaysClose): func(f finding.Finding) string {
			return "the server announced its close of the one before (Connection: close, or HTTP/1.0)" + afterRequests(f)
		},
		string(audit.ServerClosesAtOnce): func(f finding.Finding) string {
			return "the server closed as soon as it had answered, unannounced" + afterRequests(f)
		},
		string(audit.ServerIdle): func(f finding.Finding) string { return "the server closed after idling" + idleOf(f) + needed(f) },
		string(audit.RequestLimit): func(f finding.Finding) string {
			most, ok := f.Figures.Value("request_limit").Get()
			if !ok {
				return "the server closed after a number of requests"
			}
			return fmt.Sprintf("the server closed after %s", finding.Plural(most, "request"))
		},
		string(audit.MaxAge):  func(f finding.Finding) string { return "the server closed at an age" + ageOf(f) },
		string(audit.Restart): plain("the server ended several at once, of different ages: a restart or reload"),
		string(audit.Race): func(f finding.Finding) string {
			return "a request crossed the FIN of the server, which closes after idling" + idleOf(f)
		},
		string(audit.StaleReuse): func(f finding.Finding) string {
			idle := idleOf(f)
			if idle != "" {
				idle = " after idling" + idle
			}
			return "a request was sent on a connection that the server had closed" + idle + ": the pool does not look"
		},
		string(audit.SilentDrop): func(f finding.Finding) string {
			return "after idling nothing was answered any more: a NAT, firewall or load balancer forgot it" + needed(f)
		},
		string(audit.EndedBetween): func(f finding.Finding) string {
			return "a device in between ended the one before, by an RST or a FIN that the other end never sent" + needed(f)
		},
		string(audit.Failure): func(f finding.Finding) string {
			text := "the connection before broke: reset, time-out, or a response cut short"
			if code := f.Figures.Text("code"); code != "" {
				text = "the connection before was ended in error: " + code + " mostly"
			}
			return text
		},
		string(audit.NotCoalesced): func(f finding.Finding) string {
			text := "an open connection to the same address has a certificate that covers the name"
			if n := f.Figures.Value("credentials").Or(0); n > 0 {
				text += fmt.Sprintf("; %s and that one carried credentials, which a client may want to keep apart", whole(n))
			}
			return text
		},
		audit.ResumptionUnused: func(f finding.Finding) string {
			return "a full TLS handshake, though the server had given the client what to resume by; " + handshakes(f)
		},
		audit.ResumptionRefused: func(f finding.Finding) string {
			text := "the client asked to resume, and the server would not"
			for _, why := range []struct{ name, text string }{
				{"elsewhere", "asked with what another address had given: servers do not share ticket keys"}, {"restarted", "asked with what was given before a restart"},
			} {
				if n := f.Figures.Value(why.name).Or(0); n > 0 {
					text += fmt.Sprintf("; %s %s", whole(n), why.text)
				}
			}
			return text + "; " + handshakes(f)
		},
	}
}

// afterRequests says how many requests those had that the server ended, where each had several.
func afterRequests(f finding.Finding) string {
	least, most := f.Figures.Value("requests_least").Or(0), f.Figures.Value("requests_most").Or(0)
	switch {
	case least == 0:
		return ""
	case least == most:
		return ", after " + finding.Plural(least, "request")
	}
	return fmt.Sprintf(", after %s to %s", whole(least), finding.Plural(most, "request"))
}

// handshakes says what full and resumed handshakes take, as medians of TLS's part.
func handshakes(f finding.Finding) string {
	say := func(kind string) string {
		var parts []string
		if v, ok := f.Figures.Value(kind + "_ms").Get(); ok {
			parts = append(parts, finding.Duration(v, v/100))
		}
		if v, ok := f.Figures.Value(kind + "_bytes").Get(); ok {
			parts = append(parts, finding.Bytes(v))
		}
		if v, ok := f.Figures.Value("certificate_bytes").Get(); ok && kind == "full" && len(parts) > 0 {
			return strings.Join(parts, ", ") + fmt.Sprintf(" (certificates %s)", finding.Bytes(v))
		}
		return strings.Join(parts, ", ")
	}
	full, resumed := say("full"), say("resumed")
	switch {
	case full == "":
		return "what it takes was not recorded"
	case resumed == "":
		return "full takes " + full + "; no resumed one was seen"
	}
	return "full takes " + full + ", resumed " + resumed
}

// noneOr is a number, and none is a word.
func noneOr(v float64) string {
	if v == 0 {
		return "none"
	}
	return whole(v)
}

// idleOf is after how long a server closes, where that is one limit.
func idleOf(f finding.Finding) string {
	idle, ok := f.Figures.Get("idle")
	if !ok {
		return ""
	}
	if ms, ok := idle.Value.Get(); ok {
		return fmt.Sprintf(" for %s", finding.Duration(ms, max(10, idle.Uncertainty())))
	}
	i, _ := idle.Interval.Get()
	return fmt.Sprintf(" (no single limit: %s to %s)", finding.Duration(i.Low.Or(0), i.Low.Or(0)/10), finding.Duration(i.High.Or(0), i.High.Or(0)/10))
}

// needed is when connections would have been needed again.
func needed(f finding.Finding) string {
	if ms, ok := f.Figures.Value("gap_median").Get(); ok {
		return fmt.Sprintf("; one was needed again after %s, median", finding.Duration(ms, ms/10))
	}
	return ""
}

func ageOf(f finding.Finding) string {
	age, ok := f.Figures.Get("age")
	i, bounded := age.Interval.Get()
	if !ok || !bounded {
		return ""
	}
	return fmt.Sprintf(" of %s to %s", finding.Duration(i.Low.Or(0), i.Low.Or(0)/100), finding.Duration(i.High.Or(0), i.High.Or(0)/100))
}

// AuditFinding is a finding of an audit as a sentence.
func AuditFinding(f finding.Finding) string {
	if f.Code == audit.HopReuse {
		return fmt.Sprintf("Proxy %s: %s of its clients' requests reuse a connection, and %s of its own to %s.",
			f.Subject.Name, finding.SharpShare(f.Figures.Value("clients").Or(0)), finding.SharpShare(f.Figures.Value("upstream").Or(0)), f.Subject.Of)
	}
	say, ok := auditSays()[f.Code]
	if !ok {
		return asData(f.Code, f.Cause, f.Subject, f.Figures) + "."
	}
	text := fmt.Sprintf("%s to %s", finding.Plural(f.Figures.Value("connections").Or(0), "connection"), f.Subject.Name)
	if f.Subject.Of != "" && f.Subject.Of != f.Subject.Name && !strings.HasPrefix(f.Subject.Of, f.Subject.Name+":") {
		text += " (" + f.Subject.Of + ")"
	}
	if ms, ok := f.Price.Waiting.Get(); ok && ms > 0 {
		text += ", " + finding.Waited(ms) + " of waiting"
	}
	text += slowStart(f)
	return text + ": " + say(f) + "."
}

// leastSlowStart is what is worth a word, in ms: on one machine slow start costs nothing.
const leastSlowStart = 0.1

// slowStart says what a window that had grown would have saved besides.
func slowStart(f finding.Finding) string {
	s, _ := f.Figures.Get("slow_start_predicted")
	i, ok := s.Interval.Get()
	if !ok {
		return ""
	}
	high := i.High.Or(0)
	if high < leastSlowStart {
		return ""
	}
	text := "up to " + finding.Waited(high)
	if low := i.Low.Or(0); low == high {
		text = finding.Waited(high)
	} else if low > 0 {
		text = finding.Waited(low) + " to " + finding.Waited(high)
	}
	return fmt.Sprintf(" and %s of slow start (predicted)", text)
}

// AuditPool says what a pool would have done with the requests of an origin; empty is not known.
func AuditPool(g audit.GroupRow) string {
	w, ok := g.WithPool.Get()
	if !ok {
		return ""
	}
	return fmt.Sprintf("With a pool of at most %s for each client, kept for %s: %s instead of %s, %s of requests reused (predicted).",
		finding.Plural(float64(w.Connections), "connection"), time.Duration(w.Idle*float64(time.Second)), finding.Count(float64(w.Opened)), finding.Count(float64(w.Instead)), finding.SharpShare(w.Reuse()))
}

// AuditBest says which one change saves most; empty where none is worth it.
func AuditBest(r *audit.Result) string {
	p, ok := r.Best.Get()
	if !ok {
		return ""
	}
	of := ""
	for _, o := range p.Origins {
		of = "at " + cmp.Or(o.Name, o.Address) + ", "
	}
	text := fmt.Sprintf("Saves most (predicted): %s%s: %s instead of %s", of, settingIn(p.Setting), finding.Plural(float64(p.All.Opened), "connection"), whole(float64(p.All.Instead.Opened)))
	now, ok := p.All.Waiting.Get()
	was, ok2 := p.All.Instead.Waiting.Get()
	if ok && ok2 && was > 0 {
		text += fmt.Sprintf(", %s of waiting instead of %s", finding.Waited(now+p.All.Queueing.Or(0)), finding.Waited(was))
	}
	return text + " (--what-if " + p.Text + ")."
}

// settingIn says what a setting has otherwise than it was.
func settingIn(s predict.Setting) string {
	var out []string
	say := func(is bool, format string, args ...any) {
		if is {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	long := func(seconds float64) string {
		if seconds == math.Trunc(seconds) {
			return finding.Duration(1000*seconds, 1000)
		}
		return finding.Duration(1000*seconds, 0)
	}
	say(s.H2, "each client sends all on one connection of HTTP/2")
	say(s.Connections > 0 && s.Idle > 0, "each client has a pool of at most %d, and keeps them for %s", s.Connections, long(s.Idle))
	say(s.Connections > 0 && s.Idle == 0, "each client has a pool of at most %d, and keeps them", s.Connections)
	say(s.Connections == 0 && s.Idle > 0, "clients keep idle connections for %s", long(s.Idle))
	say(s.Order == predict.LRU, "clients use the connection first that has idled for longest")
	say(s.Order == predict.MRU, "clients use the connection first that was used last")
	say(s.ServerIdle > 0, "the server keeps idle connections for %s", long(s.ServerIdle))
	say(s.MaxRequests > 0, "the server takes %s on a connection", finding.Plural(float64(s.MaxRequests), "request"))
	say(s.Resume, "TLS sessions are resumed")
	return strings.Join(out, ", ")
}

// AuditWhatIfs are what to doubt of the predictions that were asked for, each a sentence.
func AuditWhatIfs(r *audit.Result) (out []string) {
	for _, p := range r.WhatIf {
		for _, c := range p.Caveats {
			if text := "What if: " + whatIfCaveat(c) + "."; !slices.Contains(out, text) {
				out = append(out, text)
			}
		}
	}
	return out
}

// whatIfCaveat says what may make a prediction wrong.
func whatIfCaveat(c predict.Caveat) string {
	n := func(thing string) string { return finding.Plural(float64(c.N), thing) }
	switch c.Code {
	case predict.BeganBefore:
		return n("connection") + " had begun before the recording; what they carried is replayed on connections that are there, and counted nowhere"
	case predict.Unanswered:
		return n("request") + " without a whole response " + verb(c.N, "is", "are") + " not replayed"
	case predict.Inferred:
		return "the requests of " + n("connection") + " are known by sizes and times alone"
	case predict.Unlimited:
		return n("connection") + " that clients did not keep " + verb(c.N, "is", "are") + " kept for good, since nothing tells for how long they would; idle=60s says it"
	case predict.LeftOut:
		return n("request") + " are not replayed: there are too many"
	case predict.NotKept:
		return "the requests of " + n("connection") + " are not known, and not replayed"
	case predict.Saturated:
		return n("request") + " left as soon as a connection was free: when they were wanted is not known, so that more connections may have been opened"
	case predict.Adrift:
		return "the replay is off by " + n("connection") + " where it changes nothing"
	}
	return string(c.Code) + ": " + whole(float64(c.N))
}

// AuditRemedy says what a remedy is: where to write what.
func AuditRemedy(r finding.Remedy) string {
	return fmt.Sprintf("%s, %s: %s", softwareTitle(r.Software, r.Side), r.Where, r.Write)
}

func softwareTitle(software, side string) string {
	to := keepalive.Opens
	if side == "server" {
		to = keepalive.Accepts
	}
	if d, ok := keepalive.DefaultOf(software, to); ok {
		return d.Title
	}
	return software
}

// AuditHint says whose setting a finding is of, where no line of configuration is known.
func AuditHint(f finding.Finding) string {
	if proxy := f.Figures.Text("proxy"); proxy != "" {
		return fmt.Sprintf("a setting of the proxy %s, which does not name itself, as HAProxy does not; --software haproxy names its line", proxy)
	}
	switch f.Code {
	case audit.ResumptionUnused:
		return "a setting of the client: one cache of sessions for the whole process; --software NAME names its line"
	case audit.ResumptionRefused:
		return "a setting of the server: one cache of sessions, or one ticket key, for all its processes and machines; --software NAME names its line"
	}
	if f.Figures.Value("requests_least").Or(0) > 1 {
		return "the server does keep connections: a limit by number or age, a reload, or the application ends some"
	}
	switch audit.Cause(f.Cause).Of().Whose {
	case audit.Clients:
		return "a setting of the client; --software NAME names its line"
	case audit.Servers:
		return "a setting of the server; --software NAME names its line"
	case audit.Networks:
		return "probes (TCP keep-alive) or a shorter limit of the client's pool; --software NAME names the line"
	case audit.Orders:
		return "the client's pool has to give up before the server does; --software NAME names the line"
	}
	return ""
}

// sources say what is known and what is not where something else than a capture was read, by
// audit.Result.Source.
var sources = map[string]string{
	"har":  "read from HARs, which is what a browser or proxy knew: when connections were opened and what was asked on them, but not who closed them, when, or how; where a cause depends on that, it is unknown",
	"zeek": "read from logs of Zeek, as its documentation describes them: who closed a connection and how, but not when a response ended without files.log, nor what fields said of the connection; where a cause depends on that, it is unknown",
	"qlog": "read from qlogs, each of one connection of QUIC as one side saw it: connections without a qlog are not there",
}

// sourceOf is the sentence of a source; of a trace's engine there is no other.
func sourceOf(source string) string {
	if text, ok := sources[source]; ok {
		return text
	}
	return fmt.Sprintf("read from a trace of this program's own (%s), each trial as one client: what its client saw", source)
}

// auditCaveats are the sentences of caveats by code.
func auditCaveats() map[string]func(caveat) string {
	// is takes the place of "are", and was of "were", where there is one.
	many := func(format string) func(caveat) string {
		return func(d caveat) string {
			text := fmt.Sprintf(format, d.many("connections", "connection"))
			if d.Figures.Value("connections").Or(0) == 1 {
				text = strings.NewReplacer(" are ", " is ", " were ", " was ", "they are", "it is", "they were", "it was", "they carried", "it carried", "they did", "it did").Replace(text)
			}
			return text
		}
	}
	return map[string]func(caveat) string{
		audit.CaveatNear: func(d caveat) string {
			trip := d.Figures.Value("round_trip").Or(0)
			return fmt.Sprintf("a round trip takes %s here, as on one machine: handshakes take longer over a network", finding.Duration(trip, max(trip/10, 0.01)))
		},
		audit.CaveatUndecided: many("%s: the recording does not hold why they were opened"),
		audit.CaveatOpaque:    many("%s are encrypted or of another protocol: how many requests they carried is not known"),
		audit.CaveatInferred:  many("%s are encrypted: what they carried is inferred from sizes and times, and their causes are likely at best (keys show it: --keylog)"),
		audit.CaveatOneWay:    many("of %s one direction alone was recorded"),
		audit.CaveatMissing: func(d caveat) string {
			return fmt.Sprintf("of %s a part was not recorded, %s in all: what was in it is not known", d.many("connections", "connection"), finding.Bytes(d.Figures.Value("bytes").Or(0)))
		},
		audit.CaveatBeganBefore: many("%s were open before the recording began; they are not among those that were opened"),
		audit.CaveatYoung:       many("%s are the first seen of their client and origin: a longer recording may find them avoidable"),
		audit.CaveatBetween:     many("at %s something passed that the client may have seen or not, a round trip away"),
		audit.CaveatNoTrip: func(d caveat) string {
			distance := "is taken from others"
			if d.Figures.Value("measured").Or(1) == 0 {
				distance = "is not known"
			}
			return fmt.Sprintf("of %s the handshake was not recorded whole: the distance to the client %s", d.many("connections", "connection"), distance)
		},
		audit.CaveatSettled: many("for %s the cause was decided before the recording ended, to bound memory"),
		audit.CaveatFolded:  many("requests on %s were summed up to bound memory: when those were idle in between is not known"),
		audit.CaveatForgotten: func(d caveat) string {
			return fmt.Sprintf("%s were forgotten to bound memory: why they opened later connections, the first or not, is not known", d.many("clients", "client"))
		},
		audit.CaveatPools: many("%s may be avoidable or not: processes behind one address have pools of their own"),
		audit.CaveatFile: func(d caveat) string {
			read := "was not read to its end"
			if d.Figures.Value("frames").Or(1) == 0 {
				read = "was not read"
			}
			return fmt.Sprintf("%s %s: %s", d.Subject.Name, read, d.Figures.Text("reason"))
		},
		audit.CaveatLink: func(d caveat) string {
			return fmt.Sprintf("%s have link type %s, which is not read: capture on another interface, or convert them (editcap -T)", d.many("frames", "frame"), d.Figures.Text("link"))
		},
		audit.CaveatCut: func(d caveat) string {
			sealed := ""
			if n := d.Figures.Value("sealed").Or(0); n > 0 {
				sealed = fmt.Sprintf(", and %s of QUIC cannot be decrypted", finding.Plural(n, "packet"))
			}
			return fmt.Sprintf("%s were captured in part, %s of the shortest: heads of HTTP beyond that are not known%s (tcpdump -s 0)", d.many("frames", "frame"), finding.Bytes(d.Figures.Value("bytes").Or(0)), sealed)
		},
		audit.CaveatDropped: func(d caveat) string {
			return fmt.Sprintf("the capture dropped %s (tcpdump -B enlarges its buffer)", d.many("frames", "packet"))
		},
		audit.CaveatClock: func(d caveat) string { return fmt.Sprintf("the clock went back %s", d.many("times", "time")) },
		audit.CaveatBroken: func(d caveat) string {
			return fmt.Sprintf("%s could not be read: headers that contradict each other, or fragments without the rest", d.many("frames", "packet"))
		},
		audit.CaveatPlaces: func(d caveat) string {
			return fmt.Sprintf("%s in several files, as where two captures of one traffic are read: --join holds what each end saw against the other", d.many("connections", "connection"))
		},
		audit.CaveatJoined: func(d caveat) string {
			return fmt.Sprintf("%s may hold several datagrams of QUIC each, joined by the host that captured them: packets are at least as many as counted", d.many("frames", "frame"))
		},
		audit.CaveatEvicted: many("%s were let go of for want of room, and what they did later is not known (--max-tracked)"),
		audit.CaveatInference: func(d caveat) string {
			off, of := d.Figures.Value("off").Or(0), d.many("connections", "decrypted connection")
			if off == 0 {
				return fmt.Sprintf("some requests are inferred: on %s inference counts as many as there were", of)
			}
			more := "more"
			if off < 0 {
				more, off = "fewer", -off
			}
			return fmt.Sprintf("some requests are inferred: on %s inference counts %s %s than there were", of, finding.Share(off), more)
		},
		audit.CaveatNoKeys:    many("no keys for %s, as of another program or session, or where the hello was not captured: what they carried is inferred, or not known"),
		audit.CaveatSomeKeys:  many("%s could be decrypted in part only, for want of packets (tcpdump -B, -s 0) or of keys, as of early data: the rest is inferred, or not known"),
		audit.CaveatWrongKeys: many("the keys of %s open nothing, as damaged ones: what they carried is inferred, or not known"),
		audit.CaveatKeyLog: func(d caveat) string {
			return fmt.Sprintf("%s holds no TLS keys: start curl, Chrome, Firefox or Java's agent with SSLKEYLOGFILE=FILE, Node with --tls-keylog=FILE", d.Subject.Name)
		},
		audit.CaveatSource: func(d caveat) string { return sourceOf(d.Subject.Name) },
		audit.CaveatNote: func(d caveat) string {
			return fmt.Sprintf("%s: %s", legible.Text(d.Subject.Name), legible.Text(d.text("note")))
		},
		audit.CaveatUnplaced: func(d caveat) string {
			return fmt.Sprintf("of %s the connection is not known", d.many("requests", "request"))
		},
		audit.CaveatLost: func(d caveat) string {
			return fmt.Sprintf("the recorder had no room for %s", d.many("records", "record"))
		},
	}
}

// AuditCaveat is a caveat of an audit as a sentence, which has no full stop.
func AuditCaveat(c finding.Caveat) string {
	if say, ok := auditCaveats()[c.Code]; ok {
		return say(caveat{c})
	}
	return asData(c.Code, c.Cause, c.Subject, c.Figures)
}

// AuditTitle says what was looked at.
func AuditTitle(r *audit.Result) string {
	name := "the recording"
	switch len(r.Files) {
	case 0:
	case 1:
		name = r.Files[0]
	default:
		name = fmt.Sprintf("%s and %s", r.Files[0], linger.Plural(len(r.Files)-1, "more file"))
		name = strings.Replace(name, "1 more files", "1 more file", 1)
	}
	text := fmt.Sprintf("%s: %s, %s in %s", name, finding.Plural(float64(r.Connections), "connection"), finding.Plural(float64(r.Exchanges), "request"), recorded(r.Recorded))
	switch r.At {
	case "":
	case "middle":
		text += ", recorded in the middle"
	case "both":
		text += ", recorded at a host that is client and server, as a proxy is"
	default:
		text += ", recorded at the " + r.At
	}
	return text
}

// recorded is how long a recording is, in ms: of a day or a week, not in seconds.
func recorded(ms float64) string {
	switch minutes := ms / 60_000; {
	case minutes < 10:
		return finding.Duration(ms, ms/1000)
	case minutes < 100:
		return finding.Fixed(minutes, 0) + " min"
	case minutes < 72*60:
		return finding.Fixed(minutes/60, 1) + " h"
	default:
		return finding.Fixed(minutes/60/24, 0) + " days"
	}
}

// AuditRow says of one connection why it was opened, what it carried and who closed it, a
// sentence a line.
func AuditRow(r audit.Row) []string {
	where := fmt.Sprintf("connection %d", r.ID)
	if n, ok := r.Stream.Get(); ok {
		where = fmt.Sprintf("tcp.stream eq %d", n)
		if r.UDP {
			where = fmt.Sprintf("udp.stream eq %d", n)
		}
	}
	out := []string{fmt.Sprintf("%s: %s to %s, %s", where, r.Client, r.Server, finding.Plural(float64(r.Requests), "request"))}
	switch {
	case r.BeganBefore:
		out = append(out, "It was open before the recording began.")
	case r.Cause == "":
		out = append(out, "It is left out: "+string(r.Class)+".")
	default:
		text := fmt.Sprintf("It was opened since: %s (%s", CauseLabel(r.Cause), r.Cause)
		if r.Certainty != "" {
			text += ", " + string(r.Certainty)
		}
		text += ")"
		if n, ok := r.BeforeStream.Get(); ok {
			text += fmt.Sprintf("; the one before is stream %d", n)
		}
		out = append(out, text+".")
	}
	switch {
	case r.StillOpen:
		out = append(out, "It was open at the end.")
	case r.ClosedBy != "":
		text := fmt.Sprintf("The %s closed it", r.ClosedBy)
		if r.ClosedWith != "" {
			text += " by " + strings.ToUpper(string(r.ClosedWith))
		}
		if d, ok := r.Lasted.Get(); ok {
			ms := float64(d) / 1e6
			text += " after " + finding.Duration(ms, ms/1000)
		}
		if r.ClosedFrame > 0 {
			text += fmt.Sprintf(", frame %d", r.ClosedFrame)
		}
		if r.End != "" {
			text += ": " + CauseLabel(r.End)
		}
		out = append(out, text+".")
	default:
		out = append(out, "How it ended is not known.")
	}
	return out
}

// AuditChange says what differs between two audits, a sentence a line.
func AuditChange(d change.Change) []string {
	figure := func(name string) change.Row {
		for _, r := range d.Rows {
			if r.Name == name {
				return r
			}
		}
		return change.Row{}
	}
	var out []string
	for _, said := range []struct{ name, what string }{{"reuse", "Reuse"}, {"avoidable_share", "The share of avoidable connections"}} {
		r := figure(said.name)
		before, ok := r.Before.Get()
		after, ok2 := r.After.Get()
		switch {
		case !ok || !ok2:
			out = append(out, said.what+" is not known of both.")
		case finding.SharpShare(before) == finding.SharpShare(after):
			out = append(out, fmt.Sprintf("%s is %s, as before.", said.what, finding.SharpShare(after)))
		default:
			out = append(out, fmt.Sprintf("%s went from %s to %s.", said.what, finding.SharpShare(before), finding.SharpShare(after)))
		}
	}
	return out
}
