package results

import (
	"fmt"
	"time"

	"linger"
	"linger/audit"
	"linger/audit/timeline"
	"linger/trace"
)

// Audit is what is found in a recording of so many connections, made up: clients of three origins
// over an hour, of which one closes what is idle for 5 s, one each connection after four
// requests, and one is never asked to keep any. Its texts are hostile.
func Audit(connections int) (*audit.Result, *timeline.Timeline) {
	drawn := timeline.New()
	a := audit.New(audit.Config{Each: drawn.Row, WhatIf: true, Grid: connections <= 1000})
	const began, whole = linger.Instant(0), time.Hour
	origins := []struct{ name, server, software string }{{"shop.example", "192.0.2.1:80", "nginx/1.27"}, {"api.example", "192.0.2.2:8080", "gunicorn"}, {"</script><img src=x onerror=alert(1)>", "192.0.2.3:80", "\x1b[31mred"}}
	exchanges := 0
	for i := range connections {
		at := began.Add(whole / time.Duration(connections+1) * time.Duration(i+1))
		o := origins[i%len(origins)]
		id, client := int64(i), fmt.Sprintf("10.0.%d.%d:%d", i%97%7, i%41, 1024+i%60000)
		requests := []int{1 + i/3%3, 4, 1}[i%3]
		last := at.Add(40 * time.Millisecond)
		for k := range requests {
			sent := last.Add(time.Duration(k) * 700 * time.Millisecond)
			last = sent.Add(time.Duration(20+i%60) * time.Millisecond)
			e := trace.Exchange{ID: exchanges, Connection: id, Number: k + 1, Method: "GET", URL: fmt.Sprintf("http://%s/<b>/object-%d?token=secret", o.name, i%50), Attempts: 1, Status: 200,
				Sent: linger.Known(sent), FirstByte: linger.Known(last.Add(-5 * time.Millisecond)), Done: linger.Known(last), ResponseHead: 200, ResponseBody: int64(i % 5000),
				Asked: trace.Said{Version: "1.1"}, Answered: trace.Said{Version: "1.1"}}
			if i%3 == 2 {
				e.Asked.Connection = "close"
			}
			exchanges++
			drawn.Exchange(&e)
			a.WriteExchange(&e)
		}
		c := trace.Connection{ID: id, Client: client, Server: o.server, Protocol: linger.HTTP11, Dialled: at, SYN: linger.Known(at), SYNACK: linger.Known(at.Add(39 * time.Millisecond)), Established: linger.Known(at.Add(40 * time.Millisecond)),
			FirstByte: linger.Known(at.Add(40 * time.Millisecond)), LastByte: linger.Known(last), Requests: requests, Agent: "python-requests/2.32", Software: o.software, Stream: linger.Known(id), ClosedWith: trace.FIN,
			Up: linger.Known(trace.Flow{Packets: 6, SYN: 1, FIN: 1, Payload: 400, Header: 320}), Down: linger.Known(trace.Flow{Packets: 6, SYN: 1, FIN: 1, Payload: 4000, Header: 320}), Frames: trace.Frames{First: int64(12*i + 1), Last: int64(12*i + 12)}}
		closed := last.Add([]time.Duration{5 * time.Second, time.Millisecond, time.Millisecond}[i%3])
		c.ClosedBy = []trace.Peer{trace.AtServer, trace.AtServer, trace.AtClient}[i%3]
		c.Closed, c.Released, c.ClosedFrame = linger.Known(closed), linger.Known(closed.Add(40*time.Millisecond)), int64(12*i+11)
		drawn.Connection(&c)
		a.WriteConnection(&c)
	}
	ended := began.Add(whole + 10*time.Second)
	r := a.End(ended)
	r.Linger, r.Files, r.Began = "test", []string{"day.pcap"}, "2026-03-02T10:00:00Z"
	return r, drawn.End(ended)
}
