package report

import (
	"bufio"
	"slices"
	"strings"

	"linger"
	"linger/compare"
	"linger/finding"
)

// hasSetUp reports whether set-up is more than TCP's three-way handshake, so that
// what it costs is worth a table.
func hasSetUp(f compare.Findings) bool {
	return f.Workload.Scheme == "https" || slices.ContainsFunc(f.Rows, func(r compare.Row) bool {
		return r.Handshake.QUIC.Or(0) > 0 || r.Handshake.TLSFull.Or(0)+r.Handshake.TLSResumed.Or(0) > 0 || !r.FastOpen.IsZero()
	})
}

// setUp is the table of what it takes until requests may be sent.
func (o Options) setUp(b *bufio.Writer, f compare.Findings) {
	count := func(above, below string, spare int, figure func(compare.Row) linger.Opt[float64]) column {
		return each(f, spare, above, below, func(r compare.Row) string { return known(figure(r), finding.Count) })
	}
	cols := []column{
		each(f, 0, "set-up,", "trips", func(r compare.Row) string { return known(r.SetupRoundTrips, trips) }),
		count("", "TCP", 0, func(r compare.Row) linger.Opt[float64] { return r.Handshake.TCP }),
		count("", "QUIC", 0, func(r compare.Row) linger.Opt[float64] { return r.Handshake.QUIC }),
		count("TLS", "full", 0, func(r compare.Row) linger.Opt[float64] { return r.Handshake.TLSFull }),
		count("TLS re-", "sumed", 0, func(r compare.Row) linger.Opt[float64] { return r.Handshake.TLSResumed }),
	}
	// A column in which no handshake stands is one of which nobody makes use.
	cols = slices.DeleteFunc(cols, func(c column) bool {
		return c.head[1] != "trips" && !slices.ContainsFunc(c.cells, func(s string) bool { return s != "0" && s != unknown })
	})
	cols = append(cols,
		count("early", "data", 4, func(r compare.Row) linger.Opt[float64] { return r.EarlyData }),
		count("fast", "open", 5, func(r compare.Row) linger.Opt[float64] { return r.FastOpen }),
		each(f, 6, "TLS kB", "up/down", func(r compare.Row) string {
			v, ok := r.HandshakeBytes.Get()
			if !ok {
				return unknown
			}
			return tiny(int64(v.Up)) + "/" + tiny(int64(v.Down))
		}),
		cpu(f, 1))
	cols = filled(cols)
	if len(cols) == 0 {
		return
	}
	b.WriteString("\n")
	cols = squeeze(append([]column{o.names(f)}, cols...), o.width())
	rows := order(f.Rows)
	o.table(b, cols, rows, o.kinds(b, f, rows))
}

// cpu is the column of CPU time.
func cpu(f compare.Findings, spare int) column {
	return each(f, spare, "CPU,", "ms", func(r compare.Row) string { return pair(r.CPU.Client, r.CPU.Server, whole) })
}

// security names what the connections were secured with: "TLS 1.3".
func security(f compare.Findings) string {
	if f.Workload.Scheme != "https" {
		return ""
	}
	var versions []string
	for _, r := range f.Rows {
		for v := range strings.SplitSeq(r.TLSVersion, ", ") {
			if v != "" && !slices.Contains(versions, v) {
				versions = append(versions, v)
			}
		}
	}
	slices.Sort(versions)
	return strings.TrimSpace("TLS " + strings.Join(versions, " and "))
}
