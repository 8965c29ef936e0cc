package audit

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"linger"
	"linger/assert"
	"linger/audit/handshake"
	"linger/audit/inference"
	"linger/audit/limit"
	"linger/audit/predict"
	"linger/finding"
	"linger/keepalive"
	"linger/trace"
)

// Format names the document that a Result is, and the version of its form.
const Format = "linger audit 1"

// A Result is what was found. Times are in ms.
type Result struct {
	Format   string   `json:"format"`
	Linger   string   `json:"linger,omitempty"` // version of the program
	Files    []string `json:"files,omitempty"`
	Began    string   `json:"began,omitempty"` // the wall clock at the first packet, RFC 3339
	Recorded float64  `json:"recorded_ms"`     // how long
	// Source is what was read where that is no capture of packets: "har", "zeek", "qlog", or the
	// engine of a trace.
	Source string `json:"source,omitempty"`
	// Recording is what was read.
	Recording linger.Opt[Recording] `json:"recording,omitzero"`
	// At is where the packets were recorded: "client", "server" or "middle", or "both" at a
	// host that is the server of some and the client of others, as a proxy is, as far as the
	// round trips tell; empty is not known.
	At string `json:"at,omitempty"`
	// ToClient and ToServer are the round trips from there, medians; unknown at a host that
	// is both.
	ToClient linger.Opt[float64] `json:"to_client_ms,omitzero"`
	ToServer linger.Opt[float64] `json:"to_server_ms,omitzero"`

	// Connections counts those that are looked at: without health checks and streams.
	Connections int `json:"connections"`
	BeganBefore int `json:"began_before"`
	StillOpen   int `json:"still_open"`
	// Opened are those of which the beginning was seen.
	Opened    int                     `json:"opened"`
	Protocols map[linger.Protocol]int `json:"protocols,omitempty"`
	// Exchanges were on connections of which the beginning was seen; Reuse is the share of
	// them that were not the first on theirs.
	Exchanges int                 `json:"exchanges"`
	Reuse     linger.Opt[float64] `json:"reuse,omitzero"`
	// Avoidable counts the connections that need not have been opened, at most.
	Avoidable int `json:"avoidable"`
	Undecided int `json:"undecided"`
	// Waiting is for the handshakes of all connections, AvoidableWaiting of those that were
	// avoidable; sums of what each request waited, and not elapsed time.
	Waiting          linger.Opt[float64] `json:"waiting_ms,omitzero"`
	AvoidableWaiting linger.Opt[float64] `json:"avoidable_waiting_ms,omitzero"`
	// HandshakeShare is the share of the time that clients waited which was handshakes.
	HandshakeShare linger.Opt[float64] `json:"handshake_share,omitzero"`
	// RequestsPerConnection is how many requests connections carried that carried any.
	RequestsPerConnection Distribution `json:"requests_per_connection,omitzero"`

	HealthChecks Aside `json:"health_checks,omitzero"`
	Streams      Aside `json:"streams,omitzero"`
	Datagrams    Aside `json:"datagrams,omitzero"` // flows of DNS over UDP
	// Joined is what came of joining captures of both ends.
	Joined linger.Opt[trace.Joined] `json:"joined,omitzero"`

	// Filtered counts connections that were not asked for.
	Filtered int64 `json:"filtered,omitempty"`

	// TLS is of encrypted connections, of every class; Coalesced of those that carried requests
	// for several origins. Inference holds what is inferred without keys against what keys showed,
	// of connections that were decrypted whole.
	TLS       linger.Opt[handshake.Section] `json:"tls,omitzero"`
	Coalesced Coalesced                     `json:"coalesced,omitzero"`
	Inference inference.Sums                `json:"inference,omitzero"`

	Causes  []CauseRow `json:"causes"`
	Origins []GroupRow `json:"origins"`
	Clients []GroupRow `json:"clients"`
	Hops    []Hop      `json:"hops,omitempty"`
	Limits  []Limit    `json:"limits,omitempty"`

	// WhatIf is what the settings asked for would have come to, Grid those of predict.Grid; Best
	// is the one change that saves most, where one is worth it. All are predicted.
	WhatIf []predict.Prediction           `json:"what_if,omitempty"`
	Grid   []predict.Prediction           `json:"what_if_grid,omitempty"`
	Best   linger.Opt[predict.Prediction] `json:"best_change,omitzero"`

	Findings []finding.Finding `json:"findings"`
	Caveats  []finding.Caveat  `json:"caveats,omitempty"`
	Asserted []assert.Result   `json:"assertions,omitempty"`
}

// A Recording is what was read, and what of it could not be.
type Recording struct {
	Frames       int64             `json:"frames"`
	Bytes        int64             `json:"bytes"` // on the link
	Cut          int64             `json:"cut,omitempty"`
	Dropped      linger.Opt[int64] `json:"dropped,omitzero"`
	Duplicates   int64             `json:"duplicates,omitempty"`
	NotIP        int64             `json:"not_ip,omitempty"`
	Malformed    int64             `json:"malformed,omitempty"`
	UnknownLinks int64             `json:"unknown_links,omitempty"`
	OtherUDP     int64             `json:"other_udp_flows,omitempty"`
	Evicted      int64             `json:"evicted,omitempty"`
	Missing      int64             `json:"missing_bytes,omitempty"`
}

// An Aside is what is outside of reuse, price and findings.
type Aside struct {
	Connections int `json:"connections"`
	Exchanges   int `json:"exchanges"`
}

// A Distribution is of whole numbers.
type Distribution struct {
	N      int     `json:"n"` // connections
	Mean   float64 `json:"mean"`
	Median int64   `json:"median"`
	P90    int64   `json:"p90"`
	Max    int64   `json:"max"`
	One    int     `json:"one"` // connections that carried one
	Few    int     `json:"two_to_nine"`
	Many   int     `json:"ten_to_99"`
	More   int     `json:"hundred_and_more"`
}

// A CauseRow is a cause with what it comes to.
type CauseRow struct {
	Cause       Cause         `json:"cause"`
	Avoidable   bool          `json:"avoidable"`
	Whose       Blame         `json:"whose,omitempty"`
	Connections int           `json:"connections"`
	Sure        int           `json:"certain"` // certain or proven
	Price       finding.Price `json:"price,omitzero"`
}

// A GroupRow is an origin or a client.
type GroupRow struct {
	Name        string              `json:"name,omitempty"`     // as clients named it
	Address     string              `json:"address"`            // of the server, or of the client
	Software    string              `json:"software,omitempty"` // Server, or User-Agent
	Connections int                 `json:"connections"`
	Opened      int                 `json:"opened"`
	Exchanges   int                 `json:"exchanges"`
	Reuse       linger.Opt[float64] `json:"reuse,omitzero"`
	Avoidable   int                 `json:"avoidable"`
	Waiting     linger.Opt[float64] `json:"avoidable_waiting_ms,omitzero"`
	Share       linger.Opt[float64] `json:"handshake_share,omitzero"`
	// Needed is the most exchanges that one client had under way at once: with so many
	// connections kept, no request of HTTP/1.1 would have had to wait.
	Needed int   `json:"concurrency,omitempty"`
	Main   Cause `json:"main_cause,omitempty"` // of those that were avoidable
	// Resumed is the share of the TLS handshakes that were resumed, of origins.
	Resumed linger.Opt[float64] `json:"tls_resumed,omitzero"`
	Causes  map[Cause]int       `json:"causes,omitempty"`
	// WithPool is what a pool would have done with the requests of an origin.
	WithPool linger.Opt[WhatIf] `json:"with_pool,omitzero"`
}

// A Hop is a proxy with what it asks, as both sides of it were recorded.
type Hop struct {
	Proxy    string `json:"proxy"`
	Upstream string `json:"upstream"`
	Matched  int    `json:"matched"` // requests that were seen on both sides
	// Clients is the reuse of what clients open to the proxy, Reuse that of what it opens.
	Clients linger.Opt[float64] `json:"clients_reuse,omitzero"`
	Reuse   linger.Opt[float64] `json:"upstream_reuse,omitzero"`
}

// A Limit is what is known of after what a side ends connections.
type Limit struct {
	Side    string `json:"side"` // "server" or "client"
	Address string `json:"address"`
	Kind    string `json:"kind"` // "idle", "requests" or "age"
	// Claimed says that it is one limit: no connection was seen to go beyond it.
	Claimed bool `json:"claimed"`
	// Value is in seconds, or in requests; of an age the bracket is Low to High.
	Value linger.Opt[float64] `json:"value,omitzero"`
	Low   linger.Opt[float64] `json:"low,omitzero"`
	High  linger.Opt[float64] `json:"high,omitzero"`
	// Ends are how many connections speak for it, Survived how many gaps ended otherwise
	// and are censored, Longest the longest of these, in seconds.
	Ends     int     `json:"ends"`
	Survived int     `json:"survived,omitempty"`
	Longest  float64 `json:"longest_survived,omitempty"`
	// Announced is what the server said (Keep-Alive).
	Announced linger.Opt[float64] `json:"announced,omitzero"`
	// Curve is the estimate of Kaplan and Meier, thinned to 32 steps.
	Curve []limit.Point `json:"survival,omitempty"`
}

// leastYoung is from how many connections on it is told that most are the first of their
// origin only as far as the recording goes: it hardly says then what is avoidable. Few, or
// fewer than half, change no finding.
const leastYoung = 10

// oneMachine is a round trip, in ms, that is hardly one between two machines.
const oneMachine = 1

// leastEnds is from how many ends on a limit is told.
const leastEnds = 2

func (a *Auditor) result() *Result {
	t := &a.tally
	r := &Result{Format: Format, Recorded: float64(a.latest.Sub(a.began)) / 1e6, Protocols: t.protocols}
	all := &t.all
	r.Connections, r.BeganBefore, r.StillOpen = all.connections, all.began, all.open
	r.Opened = all.connections - all.began
	r.Exchanges, r.Reuse = all.exchanges, all.reuse()
	r.HealthChecks = Aside{t.checkConnections, t.checkExchanges}
	r.Streams = Aside{t.streamConnections, t.streamExchanges}
	r.Datagrams = Aside{t.datagramFlows, t.datagramExchanges}
	r.Filtered = t.filtered
	r.Avoidable = all.avoidable()
	if m := all.causes[Undecided]; m != nil {
		r.Undecided = m.connections
	}
	if x, ok := t.secure.Section(); ok {
		r.TLS = linger.Known(x)
	}
	r.Coalesced, r.Inference = t.coalesced, t.inference
	r.place(a)
	r.costs(all)
	if n := t.requests.N(); n > 0 {
		median, _ := t.requests.Quantile(0.5)
		p90, _ := t.requests.Quantile(0.9)
		most, _ := t.requests.Max()
		r.RequestsPerConnection = Distribution{N: int(n), Mean: float64(all.exchanges) / float64(n), Median: median, P90: min(p90, most), Max: most,
			One: t.buckets[0], Few: t.buckets[1], Many: t.buckets[2], More: t.buckets[3]}
	}
	r.Causes = append([]CauseRow{}, causeRows(all)...)
	r.Origins, r.Clients = append([]GroupRow{}, groupRows(t.origins)...), append([]GroupRow{}, groupRows(t.clients)...)
	r.Limits = a.limitRows()
	r.Hops = a.hopRows()
	a.predicted(r)
	r.Findings = a.findings()
	r.Caveats = a.caveats(r)
	return r
}

// place says where packets were recorded, by the round trips.
func (r *Result) place(a *Auditor) {
	t := &a.tally
	told := t.places[atClient] + t.places[atServer] + t.places[between]
	switch {
	case told == 0:
	case a.hostOfBoth():
		r.At = "both"
		return
	case 2*t.places[atClient] > told:
		r.At = "client"
	case 2*t.places[atServer] > told:
		r.At = "server"
	default:
		r.At = "middle"
	}
	r.ToClient, r.ToServer = thousandfold(t.near.Median()), thousandfold(t.far.Median())
}

// thousandfold turns seconds into ms.
func thousandfold(s linger.Opt[float64]) linger.Opt[float64] {
	if v, ok := s.Get(); ok {
		return linger.Known(1000 * v)
	}
	return s
}

// hostOfBoth reports whether packets were recorded at a host that is the server of some
// connections and the client of others.
func (a *Auditor) hostOfBoth() bool {
	for name, server := range a.hosts[1] {
		if client := a.hosts[0][addressOf(name)]; server.here && client != nil && client.here {
			return true
		}
	}
	return false
}

// Where a connection was recorded, as far as its round trips tell.
const (
	nowhere = iota
	atClient
	atServer
	between
	places
)

func (c *conn) recordedAt() int {
	near, ok := c.near.Get()
	far, ok2 := c.far.Get()
	switch {
	case !ok || !ok2:
	case near < time.Millisecond && far < time.Millisecond: // one machine, or one network: it makes no difference
	case near < far/8:
		return atClient
	case far < near/8:
		return atServer
	default:
		return between
	}
	return nowhere
}

func (r *Result) costs(all *group) {
	measured := 0
	avoidable := time.Duration(0)
	for cause, m := range all.causes {
		measured += m.measured + m.hidden
		if cause.Of().Avoidable {
			avoidable += m.waiting
		}
	}
	if measured == 0 {
		return
	}
	r.Waiting, r.AvoidableWaiting = linger.Known(ms(all.waiting)), linger.Known(ms(avoidable))
	r.HandshakeShare = all.share()
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// share is the share of waiting that was handshakes.
func (g *group) share() linger.Opt[float64] {
	if whole := g.waiting + g.exchanging; whole > 0 && g.exchanging > 0 {
		return linger.Known(float64(g.waiting) / float64(whole))
	}
	return linger.Opt[float64]{}
}

func (g *group) reuse() linger.Opt[float64] {
	if g.exchanges == 0 {
		return linger.Opt[float64]{}
	}
	return linger.Known(float64(g.exchanges-g.first) / float64(g.exchanges))
}

func (g *group) avoidable() int {
	n := 0
	for cause, m := range g.causes {
		if cause.Of().Avoidable {
			n += m.connections
		}
	}
	return n
}

// rank orders causes by what they cost, then by how many connections they are of.
func rank(of map[Cause]*amount) []Cause {
	out := slices.Collect(maps.Keys(of))
	order := func(c Cause) int {
		return slices.IndexFunc(causes, func(k CauseInfo) bool { return k.Code == c })
	}
	slices.SortFunc(out, func(x, y Cause) int {
		a, b := of[x], of[y]
		avoidX, avoidY := x.Of().Avoidable, y.Of().Avoidable
		if avoidX != avoidY {
			if avoidX {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.waiting, a.waiting), cmp.Compare(b.connections, a.connections), cmp.Compare(order(x), order(y)))
	})
	return out
}

func causeRows(all *group) []CauseRow {
	var out []CauseRow
	for _, c := range rank(all.causes) {
		if c == "" {
			continue
		}
		m, info := all.causes[c], c.Of()
		row := CauseRow{Cause: c, Avoidable: info.Avoidable, Whose: info.Whose, Connections: m.connections, Sure: m.sure}
		if info.Avoidable {
			row.Price = m.priceOf(true)
		}
		out = append(out, row)
	}
	return out
}

func groupRows(groups map[groupKey]*group) []GroupRow {
	var out []GroupRow
	for k, g := range groups {
		if g.connections == 0 {
			continue
		}
		row := GroupRow{
			Name: k.name, Address: k.server, Software: g.software, Connections: g.connections, Opened: g.connections - g.began,
			Exchanges: g.exchanges, Reuse: g.reuse(), Avoidable: g.avoidable(), Share: g.share(), Needed: g.peak, Causes: map[Cause]int{},
		}
		if x, ok := g.handshakes.Section(); ok || x.Full.N+x.Resumed.N > 0 {
			row.Resumed = x.ResumedShare()
		}
		if g.whatIf.Requests > 0 {
			row.WithPool = linger.Known(g.whatIf)
		}
		if k.server == "" {
			row.Name, row.Address, row.Software = "", k.name, g.agent
		}
		waiting, measured := time.Duration(0), 0
		for _, c := range rank(g.causes) {
			m := g.causes[c]
			row.Causes[c] = m.connections
			if !c.Of().Avoidable {
				continue
			}
			if row.Main == "" {
				row.Main = c
			}
			waiting += m.waiting
			measured += m.measured + m.hidden
		}
		if measured > 0 {
			row.Waiting = linger.Known(ms(waiting))
		}
		out = append(out, row)
	}
	slices.SortFunc(out, func(a, b GroupRow) int {
		return cmp.Or(cmp.Compare(b.Waiting.Or(0), a.Waiting.Or(0)), cmp.Compare(b.Avoidable, a.Avoidable), cmp.Compare(b.Exchanges, a.Exchanges),
			cmp.Compare(b.Connections, a.Connections), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Address, b.Address))
	})
	return out
}

func (a *Auditor) hopRows() []Hop {
	a.hops.resolve()
	exchanges, first := map[string]int{}, map[string]int{}
	for k, g := range a.tally.origins {
		exchanges[k.server] += g.exchanges
		first[k.server] += g.first
	}
	reuse := func(address string) linger.Opt[float64] {
		return (&group{exchanges: exchanges[address], first: first[address]}).reuse()
	}
	var out []Hop
	for h, n := range a.hops.found {
		// A request that happens to be nested in another one is no proxy.
		if n < 2 || 2*n < min(exchanges[h.upstream.name], hopPlaced) {
			continue
		}
		out = append(out, Hop{h.proxy.name, h.upstream.name, n, reuse(h.proxy.name), reuse(h.upstream.name)})
	}
	slices.SortFunc(out, func(a, b Hop) int {
		return cmp.Or(cmp.Compare(b.Matched, a.Matched), cmp.Compare(a.Upstream, b.Upstream))
	})
	return out
}

// limitRows are the limits of servers and clients that ended connections.
func (a *Auditor) limitRows() []Limit {
	var out []Limit
	for side, name := range []string{"client", "server"} {
		for _, key := range slices.Sorted(maps.Keys(a.hosts[side])) {
			h := a.hosts[side][key]
			if l, ok := idleLimit(h.idle); ok {
				l.Side, l.Address = name, h.name
				out = append(out, l)
			}
			if side == 0 {
				continue
			}
			if limit, n, ok := h.counts.SoleRequests(); ok {
				l := Limit{Side: name, Address: h.name, Kind: "requests", Claimed: true, Value: linger.Known(float64(limit)), Ends: n}
				if h.counts.Said > 0 {
					l.Announced = linger.Known(float64(h.counts.Said))
				}
				out = append(out, l)
			}
			if low, high, timed, ok := h.counts.Age(); ok {
				n := h.counts.N
				if timed {
					n = h.counts.Timed.N
				}
				out = append(out, Limit{Side: name, Address: h.name, Kind: "age", Claimed: true, Low: linger.Known(low.Seconds()), High: linger.Known(high.Seconds()), Ends: n})
			}
		}
	}
	return out
}

func idleLimit(l *limit.Idle) (Limit, bool) {
	if l == nil || l.Ended.N < leastEnds {
		return Limit{}, false
	}
	out := Limit{Kind: "idle", Ends: l.Ended.N, Survived: l.Survived.N, Longest: l.Longest, Low: linger.Known(l.Least), High: linger.Known(l.Greatest)}
	curve := limit.Survival(l.Ended.Kept, l.Survived.Kept)
	if value, ok := l.Single(); ok {
		out.Value, out.Claimed = linger.Known(value), true
	} else if median, ok := limit.Quantile(curve, 0.5); ok {
		out.Value = linger.Known(median)
	}
	if step := (len(curve) + 31) / 32; step > 1 {
		var thin []limit.Point
		for i := 0; i < len(curve); i += step {
			thin = append(thin, curve[i])
		}
		curve = append(thin, curve[len(curve)-1])
	}
	out.Curve = curve
	return out, true
}

// A costly is a finding with what orders it.
type costly struct {
	finding.Finding
	waiting     time.Duration
	connections int
}

// findings are the causes that cost, by origin and price.
func (a *Auditor) findings() []finding.Finding {
	var all []costly
	for _, k := range slices.SortedFunc(maps.Keys(a.tally.origins), func(a, b groupKey) int { return cmp.Or(cmp.Compare(a.server, b.server), cmp.Compare(a.name, b.name)) }) {
		g := a.tally.origins[k]
		for _, cause := range rank(g.causes) {
			if !cause.Of().Avoidable && cause != Failure && cause != Restart {
				continue
			}
			m := g.causes[cause]
			all = append(all, costly{a.finding(k, g, cause, m), m.waiting, m.connections})
		}
		all = append(all, a.resumptions(k, g)...)
	}
	slices.SortStableFunc(all, func(x, y costly) int {
		return cmp.Or(cmp.Compare(order(x.Severity), order(y.Severity)), cmp.Compare(y.waiting, x.waiting), cmp.Compare(y.connections, x.connections))
	})
	var out []finding.Finding
	for _, f := range all {
		out = append(out, f.Finding)
	}
	for _, h := range a.hopRows() {
		clients, ok := h.Clients.Get()
		up, ok2 := h.Reuse.Get()
		if !ok || !ok2 {
			continue
		}
		severity := finding.Note
		if up < clients/2 {
			severity = finding.Warning
		}
		out = append(out, finding.Finding{
			Code: HopReuse, Severity: severity, Subject: finding.Subject{Kind: "hop", Name: h.Proxy, Of: h.Upstream},
			Figures: finding.Figures{finding.Number("clients", clients, "share"), finding.Number("upstream", up, "share"), finding.Number("matched", float64(h.Matched), "")},
		})
	}
	return out
}

func order(s finding.Severity) int {
	return slices.Index([]finding.Severity{finding.Error, finding.Warning, finding.Note, finding.Unknown, finding.Pass}, s)
}

// finding is what a cause comes to at an origin.
func (a *Auditor) finding(k groupKey, g *group, cause Cause, m *amount) finding.Finding {
	f := finding.Finding{
		Code: string(cause), Cause: string(cause), Severity: finding.Warning,
		Subject: finding.Subject{Kind: "origin", Name: cmp.Or(k.name, k.server), Of: k.server},
		Figures: finding.Figures{
			finding.Number("connections", float64(m.connections), ""), finding.Number("opened", float64(g.connections-g.began), ""),
			finding.Number("certain", float64(m.sure), ""),
		},
		Price: m.priceOf(true),
	}
	if !cause.Of().Avoidable {
		f.Severity, f.Price = finding.Note, finding.Price{}
	} else if m.slow.n > 0 {
		f.Figures = append(f.Figures, m.slow.figure())
	}
	server := a.hosts[1][k.server]
	asked := need{cause: cause, server: cmp.Or(a.config.Software, keepalive.RecogniseServer(g.software)), peak: g.peak}
	if server != nil {
		f.Figures = append(f.Figures, a.limitFigures(server, cause, m)...)
		asked.learnt(server)
	}
	if gap, ok := m.usualGap(); ok {
		sorted := slices.Sorted(slices.Values(m.gaps.Kept))
		f.Figures = append(f.Figures, finding.Number("gap_median", 1000*sorted[len(sorted)/2], "ms"), finding.Number("gap_most", ms(gap), "ms"))
		asked.gap = gap
	}
	proxy := a.proxyBefore(k.server)
	asked.client = cmp.Or(a.config.Software, openerOf(proxy, server, mostly(m.agents), cause))
	if proxy != nil && asked.client == "" && cause.Of().Whose == Clients {
		f.Figures = append(f.Figures, finding.Word("proxy", proxy.name))
	}
	for _, one := range []struct {
		name string
		n    int
	}{{"shared", m.shared}, {"credentials", m.credentials}} {
		if one.n > 0 {
			f.Figures = append(f.Figures, finding.Number(one.name, float64(one.n), ""))
		}
	}
	if code := mostly(m.codes); code != "" {
		f.Figures = append(f.Figures, finding.Word("code", code))
	}
	if m.resets > 0 {
		f.Figures = append(f.Figures, finding.Number("resets", float64(m.resets), ""))
		if 2*m.resets > m.connections {
			asked.cause = ClientAborts // its remedy is what ends them
		}
	}
	if m.carried.several(m.connections) {
		f.Figures = append(f.Figures, finding.Number("requests_least", float64(m.carried.least), ""), finding.Number("requests_most", float64(m.carried.most), ""))
		asked.cause = "" // what turns keep-alive on ends nothing here
		if server != nil && m.carried.least == m.carried.most && server.counts.Exceeded < m.carried.least {
			asked.cause, asked.requests = RequestLimit, m.carried.least
		}
	}
	f.Evidence = evidenceOf(m)
	f.Remedies = asked.remedies()
	return f
}

// limitFigures are what is known of the limit behind a cause.
func (a *Auditor) limitFigures(h *host, cause Cause, m *amount) finding.Figures {
	switch cause {
	case ServerIdle, Race, StaleReuse:
		if l, ok := idleLimit(h.idle); ok {
			return l.figures()
		}
	case RequestLimit:
		if n, ends, ok := h.counts.SoleRequests(); ok {
			return finding.Figures{finding.Number("request_limit", float64(n), ""), finding.Number("ends", float64(ends), "")}
		}
	case MaxAge:
		if low, high, _, ok := h.counts.Age(); ok {
			return finding.Figures{{Name: "age", Unit: "ms", Interval: linger.Known(finding.Interval{Low: linger.Known(ms(low)), High: linger.Known(ms(high)), N: m.connections})}}
		}
	}
	return nil
}

// figures are the limit's: "idle" with a value where it is one limit.
func (l Limit) figures() finding.Figures {
	f := finding.Figure{Name: "idle", Unit: "ms", Interval: linger.Known(finding.Interval{Low: linger.Known(1000 * l.Low.Or(0)), High: linger.Known(1000 * l.High.Or(0)), N: l.Ends})}
	if v, ok := l.Value.Get(); ok && l.Claimed {
		f.Value = linger.Known(1000 * v)
	}
	return finding.Figures{f, finding.Number("ends", float64(l.Ends), ""), finding.Number("longest", 1000*l.Longest, "ms")}
}

// proxyBefore is the proxy that opens connections to a server, nil where none was seen; of
// several the first by name.
func (a *Auditor) proxyBefore(server string) (proxy *host) {
	for h := range a.hops.found {
		if h.upstream.name == server && (proxy == nil || h.proxy.name < proxy.name) {
			proxy = h.proxy
		}
	}
	return proxy
}

// openerOf is the software of who opens connections to an origin, as far as it is known. A
// proxy may hand on the Server of its upstream, as HAProxy does, so that the same on both
// sides does not tell, unless the proxy asks to close, as nginx does if left to itself.
func openerOf(proxy, upstream *host, agent string, cause Cause) string {
	switch {
	case proxy == nil:
		return keepalive.RecogniseAgent(agent)
	case upstream == nil || proxy.software == upstream.software && cause != ClientSaysClose:
		return ""
	}
	return keepalive.RecogniseServer(proxy.software)
}

// evidenceOf lets a reader find the connections in the capture.
func evidenceOf(m *amount) []finding.Evidence {
	var out []finding.Evidence
	filter := map[bool]string{}
	var frames []int
	for _, e := range m.evidence {
		if n, ok := e.stream.Get(); ok && e.frames.FirstFile == m.evidence[0].frames.FirstFile {
			filter[e.udp] += "," + number(n)
			if b, ok := e.before.Get(); ok && !e.udp {
				filter[e.udp] += "," + number(b)
			}
		}
		if e.frames.First > 0 {
			if e.closed > 0 {
				frames = append(frames, int(e.closed))
			}
			frames = append(frames, int(e.frames.First))
		}
	}
	for udp, name := range map[bool]string{false: "tcp.stream", true: "udp.stream"} {
		if list := filter[udp]; list != "" {
			out = append(out, finding.Evidence{Kind: "filter", Text: name + " in {" + sortedList(list) + "}"})
		}
	}
	if len(frames) > 0 {
		slices.Sort(frames)
		out = append(out, finding.Evidence{Kind: "frames", Frames: slices.Compact(frames)})
	}
	return out
}

// caveats are the reasons not to believe it.
func (a *Auditor) caveats(r *Result) []finding.Caveat {
	t := &a.tally
	var out []finding.Caveat
	add := func(code string, n int, figures ...finding.Figure) {
		if n > 0 {
			out = append(out, finding.Caveat{Code: code, Figures: append(finding.Figures{finding.Number("connections", float64(n), "")}, figures...)})
		}
	}
	between := 0
	for _, m := range t.all.causes {
		between += m.between
	}
	near, ok := thousandfold(t.near.Median()).Get()
	far, ok2 := thousandfold(t.far.Median()).Get()
	if trip := near + far; ok && ok2 && trip < oneMachine && r.At == "" {
		add(CaveatNear, r.Avoidable, finding.Number("round_trip", trip, "ms"))
	}
	add(CaveatUndecided, r.Undecided)
	add(CaveatOpaque, t.opaque)
	if x, ok := r.TLS.Get(); ok && x.Keys.IsZero() { // else who has the keys says it
		add(CaveatInferred, x.Inferred)
	} else if s := r.Inference.Alone; ok && x.Inferred > 0 && s.Requests > 0 {
		add(CaveatInference, s.Connections, finding.Number("exact", float64(s.Exact), ""), finding.Number("off", s.Off(), "share"))
	}
	add(CaveatOneWay, t.oneWay)
	add(CaveatMissing, t.gappy, finding.Number("bytes", float64(t.missing), "bytes"))
	add(CaveatBeganBefore, t.beganBefore)
	if r.Opened >= leastYoung && 2*t.young > r.Opened {
		add(CaveatYoung, t.young)
	}
	add(CaveatBetween, between)
	add(CaveatNoTrip, t.noTrip, finding.Number("measured", float64(len(t.near.Kept)), ""))
	add(CaveatSettled, int(t.settled))
	add(CaveatFolded, t.loose)
	if t.forgotten > 0 {
		out = append(out, finding.Caveat{Code: CaveatForgotten, Figures: finding.Figures{finding.Number("clients", float64(t.forgotten), "")}})
	}
	if t.unplaced > 0 {
		out = append(out, finding.Caveat{Code: CaveatUnplaced, Figures: finding.Figures{finding.Number("requests", float64(t.unplaced), "")}})
	}
	pools := 0
	for c, m := range t.all.causes {
		if c == IdleUnused || c == ClientClosesAtOnce {
			pools += m.connections
		}
	}
	add(CaveatPools, pools)
	return out
}

// Unread is how many encrypted connections were not decrypted.
func (r *Result) Unread() int {
	x, _ := r.TLS.Get()
	return x.Connections - x.Keys.Or(handshake.Keys{}).Decrypted
}

// Check reports why a saved result is none.
func (r *Result) Check() error {
	switch {
	case r.Format != Format:
		return fmt.Errorf("its format is %.40q, and this linger reads %q", r.Format, Format)
	case r.Opened < 0 || r.Exchanges < 0 || r.Avoidable < 0 || r.Avoidable > r.Opened:
		return errors.New("its counts contradict each other")
	}
	return nil
}
