package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"linger"
	"linger/audit"
	"linger/audit/change"
	"linger/audit/handshake"
	"linger/audit/predict"
	"linger/finding"
	"linger/report/table"
)

// AuditOrigins has a row for each origin, what costs most first; at most n, 0 is all. A
// label says a cause in a few words.
func AuditOrigins(r *audit.Result, n int, label func(audit.Cause) string) table.Table {
	return auditGroups("origin", r.Origins, n, label)
}

// AuditClients has a row for each client.
func AuditClients(r *audit.Result, n int, label func(audit.Cause) string) table.Table {
	return auditGroups("client", r.Clients, n, label)
}

func auditGroups(kind string, rows []audit.GroupRow, n int, label func(audit.Cause) string) table.Table {
	t := table.Table{Columns: []table.Column{
		{Head: kind, Align: table.Left, Short: 16}, {Head: "opened"}, {Head: "reqs"}, {Head: "reuse"},
		{Head: "could avoid"}, {Head: "waited", Spare: 2}, {Head: "most in flight", Spare: 4}, {Head: "mostly", Align: table.Left, Spare: 3},
	}}
	addresses := map[string]map[string]bool{}
	for _, g := range rows {
		if addresses[groupName(g)] == nil {
			addresses[groupName(g)] = map[string]bool{}
		}
		addresses[groupName(g)][g.Address] = true
	}
	shown := rows
	if n > 0 && len(rows) > n {
		shown = rows[:n]
		t.More = fmt.Sprintf("and %s (--wide)", linger.Plural(len(rows)-n, "other "+kind))
	}
	for _, g := range shown {
		full := groupName(g)
		if len(addresses[full]) > 1 && g.Address != "" && g.Address != full {
			full = apart(full, g.Address, addresses[full])
		}
		name := table.Word(table.Short(full, 30))
		main := table.Word("")
		if g.Main != "" {
			main = table.Word(label(g.Main))
		}
		reuse, waiting := table.Unknown(), table.Unknown()
		if v, ok := g.Reuse.Get(); ok {
			reuse = table.Number(v, finding.SharpShare)
		}
		if v, ok := g.Waiting.Get(); ok && g.Avoidable > 0 {
			waiting = table.Number(v, finding.Waited)
		} else if ok {
			waiting = table.Word("")
		}
		avoidable := table.Int(g.Avoidable)
		if g.Avoidable > 0 {
			avoidable.Style = table.Caution
		}
		needed := table.Unknown()
		if g.Needed > 0 {
			needed = table.Int(g.Needed)
		}
		t.Add(name, table.Int(g.Opened), table.Int(g.Exchanges), reuse, avoidable, waiting, needed, main)
	}
	return t
}

// apart is a name with what tells its servers apart: the port, where all have one address.
func apart(name, address string, all map[string]bool) string {
	// A proxy hands Host on: the same name at another address is another server.
	host := withoutPort(address)
	if strings.HasPrefix(name, host+":") {
		return address
	}
	for a := range all {
		if withoutPort(a) != host || strings.Contains(name, ":") {
			return name + " " + address
		}
	}
	return name + strings.TrimPrefix(address, host)
}

// withoutPort is an address without its port.
func withoutPort(address string) string {
	if i := strings.LastIndexByte(address, ':'); i >= 0 {
		return address[:i]
	}
	return address
}

// groupName is an origin as clients name it, with the port where that is not in it.
func groupName(g audit.GroupRow) string { return cmp.Or(g.Name, g.Address, "others") }

// AuditWhatIf has a row for each setting that was asked for; with origins one for each of them, too.
func AuditWhatIf(r *audit.Result, origins bool) table.Table {
	t := table.Table{Columns: []table.Column{
		{Head: "what if (predicted)", Align: table.Left, Short: 24}, {Head: "conns"}, {Head: "was"}, {Head: "waited"}, {Head: "was"}, {Head: "queued", Spare: 1}, {Head: "reuse", Spare: 2},
	}}
	secure := slices.ContainsFunc(r.WhatIf, func(p predict.Prediction) bool { return p.All.Instead.Full+p.All.Instead.Resumed > 0 })
	if secure {
		t.Columns = append(t.Columns, table.Column{Head: "TLS full", Spare: 3}, table.Column{Head: "resumed", Spare: 4})
	}
	add := func(name string, o predict.Outcome) {
		opened := finding.Count(float64(o.Opened))
		if o.High > o.Opened {
			opened = fmt.Sprintf("%s-%s", finding.Count(float64(o.Low)), finding.Count(float64(o.High)))
		}
		cells := []table.Cell{table.Word(name), table.Word(opened), table.Int(o.Instead.Opened), table.Known(o.Waiting, finding.Waited), table.Known(o.Instead.Waiting, finding.Waited),
			table.Known(o.Queueing, finding.Waited), table.Number(o.Reuse(), finding.SharpShare)}
		if secure {
			cells = append(cells, table.Int(o.Full), table.Int(o.Resumed))
		}
		t.Add(cells...)
	}
	for _, p := range r.WhatIf {
		add(p.Text, p.All)
		for _, o := range p.Origins {
			if origins && len(p.Origins) > 1 {
				add("  "+table.Short(cmp.Or(o.Name, o.Address), 28), o.Outcome)
			}
		}
	}
	return t
}

// AuditCauses has a row for each cause.
func AuditCauses(r *audit.Result, label func(audit.Cause) string) table.Table {
	t := table.Table{Columns: []table.Column{
		{Head: "why opened", Align: table.Left}, {Head: "code", Align: table.Left, Spare: 2}, {Head: "avoidable", Align: table.Left}, {Head: "conns"}, {Head: "certain"},
		{Head: "waiting"}, {Head: "TIME_WAIT", Spare: 1},
	}}
	for _, c := range r.Causes {
		avoidable := table.Word("no")
		if c.Avoidable {
			avoidable = table.Word("yes, " + map[audit.Blame]string{audit.Clients: "client", audit.Servers: "server", audit.Networks: "network", audit.Orders: "both"}[c.Whose])
		}
		t.Add(table.Word(label(c.Cause)), table.Word(string(c.Cause)), avoidable, table.Int(c.Connections), table.Int(c.Sure),
			table.Known(c.Price.Waiting, finding.Waited), table.Known(c.Price.TimeWait, finding.Count))
	}
	return t
}

// AuditLimits has a row for each limit.
func AuditLimits(r *audit.Result) table.Table {
	t := table.Table{Columns: []table.Column{{Head: "limit of", Align: table.Left}, {Head: "kind", Align: table.Left}, {Head: "value", Align: table.Left}, {Head: "ends"}, {Head: "survived"}, {Head: "longest"}}}
	for _, l := range r.Limits {
		value := table.Word("none that is one")
		switch v, ok := l.Value.Get(); {
		case l.Kind == "requests":
			value = table.Word(finding.Count(v))
		case l.Claimed && ok:
			value = table.Word(finding.Duration(1000*v, 10))
		case l.Claimed:
			value = table.Word(fmt.Sprintf("%s to %s", finding.Duration(1000*l.Low.Or(0), 0), finding.Duration(1000*l.High.Or(0), 0)))
		case ok:
			value = table.Word(fmt.Sprintf("%s to %s, median %s", finding.Duration(1000*l.Low.Or(0), 100), finding.Duration(1000*l.High.Or(0), 100), finding.Duration(1000*v, 100)))
		}
		longest := table.Unknown()
		if l.Longest > 0 {
			longest = table.Word(finding.Duration(1000*l.Longest, 100))
		}
		t.Add(table.Word(l.Side+" "+table.Short(l.Address, 24)), table.Word(l.Kind), value, table.Int(l.Ends), table.Int(l.Survived), longest)
	}
	return t
}

// AuditTLS has a row for full and one for resumed handshakes; none where none was seen to begin.
func AuditTLS(r *audit.Result) table.Table {
	t := table.Table{Columns: []table.Column{{Head: "TLS handshakes", Align: table.Left}, {Head: "conns"}, {Head: "median"}, {Head: "bytes"}, {Head: "certificates"}, {Head: "RTTs"}}}
	x, _ := r.TLS.Get()
	for _, one := range []struct {
		name string
		handshake.Kind
	}{{"full", x.Full}, {"resumed", x.Resumed}} {
		if one.N == 0 {
			continue
		}
		t.Add(table.Word(one.name), table.Int(one.N), table.Known(one.Time, finding.Waited), table.Known(one.Bytes, finding.Bytes), table.Known(one.Certificate, finding.Bytes), table.Known(one.Trips, finding.Count))
	}
	return t
}

// AuditHops has a row for each proxy that was recorded on both sides.
func AuditHops(r *audit.Result) table.Table {
	t := table.Table{Columns: []table.Column{{Head: "proxy", Align: table.Left}, {Head: "clients reuse"}, {Head: "upstream", Align: table.Left}, {Head: "it reuses"}, {Head: "matched"}}}
	for _, h := range r.Hops {
		t.Add(table.Word(h.Proxy), table.Known(h.Clients, finding.SharpShare), table.Word(h.Upstream), table.Known(h.Reuse, finding.SharpShare), table.Int(h.Matched))
	}
	return t
}

// AuditRequests has how many requests connections carried.
func AuditRequests(r *audit.Result) table.Table {
	d := r.RequestsPerConnection
	t := table.Table{Columns: []table.Column{{Head: "requests a connection", Align: table.Left}, {Head: "conns"}}}
	for _, row := range []struct {
		name string
		n    int
	}{{"1", d.One}, {"2 to 9", d.Few}, {"10 to 99", d.Many}, {"100 and more", d.More}} {
		t.Add(table.Word(row.name), table.Int(row.n))
	}
	return t
}

// AuditChange has a row for each figure of two audits, then one for each cause as a share of
// the connections that were opened.
func AuditChange(d change.Change, label func(audit.Cause) string) table.Table {
	t := table.Table{Columns: []table.Column{{Head: "figure", Align: table.Left}, {Head: "before"}, {Head: "after"}}}
	value := func(r change.Row, o linger.Opt[float64]) table.Cell {
		return table.Known(o, func(v float64) string {
			switch r.Unit {
			case "share":
				return finding.SharpShare(v)
			case "ms":
				return finding.Waited(v)
			}
			return finding.Count(v)
		})
	}
	for _, r := range d.Rows {
		t.Add(table.Word(strings.ReplaceAll(r.Name, "_", " ")), value(r, r.Before), value(r, r.After))
	}
	for i, r := range d.Causes {
		row := t.Add(table.Word(label(audit.Cause(r.Name))), value(r, r.Before), value(r, r.After))
		if i == 0 {
			row.Group = "opened since"
		}
	}
	return t
}
