package audit

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"linger"
	"linger/trace"
)

// BenchmarkAudit takes in connections of one request each, from a thousand clients to ten
// servers, and reports how many a second, and what memory they hold at the end.
func BenchmarkAudit(b *testing.B) {
	for _, requests := range []int{1, 20} {
		b.Run(fmt.Sprintf("requests=%d", requests), func(b *testing.B) {
			b.ReportAllocs()
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			a := New(Config{})
			for i := range b.N {
				at := linger.Instant(i) * linger.Instant(100*time.Microsecond)
				for n := range requests {
					s := at.Add(time.Duration(n+1) * 10 * time.Millisecond)
					a.WriteExchange(&trace.Exchange{
						Connection: int64(i), Number: n + 1, Method: "GET", URL: "http://shop.example/a", Status: 200, Queued: s, Sent: linger.Known(s), FirstByte: linger.Known(s.Add(time.Millisecond)),
						Done: linger.Known(s.Add(2 * time.Millisecond)), Asked: trace.Said{Version: "1.1"}, Answered: trace.Said{Version: "1.1"},
					})
				}
				end := at.Add(time.Duration(requests+2) * 10 * time.Millisecond)
				a.WriteConnection(&trace.Connection{
					ID: int64(i), Client: fmt.Sprintf("10.0.%d.%d:%d", i%1000/250, i%250, 1024+i%60000), Server: fmt.Sprintf("192.0.2.%d:80", i%10), Protocol: "http/1.1", Dialled: at,
					SYN: linger.Known(at), SYNACK: linger.Known(at.Add(time.Millisecond)), Established: linger.Known(at.Add(2 * time.Millisecond)),
					LastByte: linger.Known(end), Closed: linger.Known(end), ClosedBy: trace.AtClient, ClosedWith: trace.FIN, Requests: requests,
				})
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-min(before.HeapAlloc, after.HeapAlloc))/1e6, "MB")
			a.End(linger.Instant(b.N) * linger.Instant(time.Millisecond))
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "conns/s")
		})
	}
}
