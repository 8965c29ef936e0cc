package report

import (
	"strconv"

	"linger"
	"linger/compare"
)

// isDNS reports whether names were looked up.
func isDNS(f compare.Findings) bool { return f.Workload.Scheme == linger.SchemeDNS }

// dnsColumns are the columns of the CSV that look-ups have beside the others.
var dnsColumns = []csvColumn{
	{"dns.asked", dns(func(d compare.DNS) linger.Opt[float64] { return linger.Known(float64(d.Asked)) })},
	{"dns.answered", dns(func(d compare.DNS) linger.Opt[float64] { return linger.Known(float64(d.Answered)) })},
	{"dns.failed", dns(func(d compare.DNS) linger.Opt[float64] { return linger.Known(float64(d.Failed)) })},
	{"dns.sent_again", dns(func(d compare.DNS) linger.Opt[float64] { return float(d.SentAgain) })},
	{"dns.truncated", dns(func(d compare.DNS) linger.Opt[float64] { return float(d.Truncated) })},
	{"dns.query_ms.median", spread(middle)},
	{"dns.query_ms.p95", spread(func(s compare.Spread) linger.Opt[float64] { return s.P95 })},
	{"dns.query_ms.p99", spread(func(s compare.Spread) linger.Opt[float64] { return s.P99 })},
	{"dns.bytes_per_query", dns(func(d compare.DNS) linger.Opt[float64] { return d.Bytes })},
	{"dns.packets_per_query", dns(func(d compare.DNS) linger.Opt[float64] { return d.Packets })},
	{"dns.kept.set_up_bytes", kept(func(k compare.Kept) float64 { return k.SetUpBytes })},
	{"dns.kept.set_up_packets", kept(func(k compare.Kept) float64 { return k.SetUpPackets })},
	{"dns.kept.query_bytes", kept(func(k compare.Kept) float64 { return k.QueryBytes })},
	{"dns.kept.query_packets", kept(func(k compare.Kept) float64 { return k.QueryPackets })},
	{"dns.kept.beats_udp_in_bytes", func(r compare.Row) string {
		beats, ok := r.DNS.Or(compare.DNS{}).Kept.Or(compare.Kept{}).BeatsUDP.Get()
		if !ok {
			return ""
		}
		return strconv.FormatBool(beats)
	}},
	{"dns.kept.beats_udp_in_bytes_from", func(r compare.Row) string {
		return part(r.DNS.Or(compare.DNS{}).Kept, func(k compare.Kept) linger.Opt[float64] { return float(k.From) })
	}},
	{"dns.idle_limit_ms", dns(func(d compare.DNS) linger.Opt[float64] { return d.IdleLimit })},
	{"dns.closed_idle_after_ms", dns(func(d compare.DNS) linger.Opt[float64] { return d.ClosedAfter })},
}

// dns writes one figure of look-ups.
func dns(figure func(compare.DNS) linger.Opt[float64]) func(compare.Row) string {
	return func(r compare.Row) string { return part(r.DNS, figure) }
}

func spread(figure func(compare.Spread) linger.Opt[float64]) func(compare.Row) string {
	return func(r compare.Row) string { return part(r.DNS.Or(compare.DNS{}).Time, figure) }
}

// middle is the median, which is known where anything is.
func middle(s compare.Spread) (o linger.Opt[float64]) {
	if s.N > 0 {
		o = linger.Known(s.Median)
	}
	return o
}

func kept(figure func(compare.Kept) float64) func(compare.Row) string {
	return func(r compare.Row) string {
		return part(r.DNS.Or(compare.DNS{}).Kept, func(k compare.Kept) linger.Opt[float64] { return linger.Known(figure(k)) })
	}
}

func float(o linger.Opt[int]) (out linger.Opt[float64]) {
	if n, ok := o.Get(); ok {
		out = linger.Known(float64(n))
	}
	return out
}
