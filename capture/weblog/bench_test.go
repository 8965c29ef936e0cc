package weblog

import (
	"fmt"
	"strings"
	"testing"
)

// made is a log of n lines in a format of Printf with the client, the second and the path.
func made(n int, format string) []byte {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i%5000>>8, i%251, i/60%60, i%60, i*7919%1000)
	}
	return []byte(b.String())
}

func BenchmarkParser(b *testing.B) {
	for _, c := range []struct {
		name, format string
		want         Fields
	}{
		{"combined/gaps", `10.0.%d.%d - - [17/May/2015:10:%02d:%02d +0000] "GET /presentations/logstash-monitorama-2013/images/%03d.png HTTP/1.1" 200 203023 "http://example.com/presentations/logstash-monitorama-2013/" "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/32.0.1700.77 Safari/537.36"` + "\n", Of(Client)},
		{"combined/all", `10.0.%d.%d - - [17/May/2015:10:%02d:%02d +0000] "GET /presentations/logstash-monitorama-2013/images/%03d.png HTTP/1.1" 200 203023 "http://example.com/presentations/logstash-monitorama-2013/" "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/32.0.1700.77 Safari/537.36"` + "\n", ^Fields(0)},
		{"common/gaps", `10.0.%d.%d - - [17/May/2015:10:%02d:%02d +0000] "GET /%03d.png HTTP/1.1" 200 203023` + "\n", Of(Client)},
		{"caddy/gaps", `{"level":"info","ts":1646861401.5241024,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"10.0.%d.%d","remote_port":"41342","client_ip":"127.0.0.1","proto":"HTTP/2.0","method":"GET","host":"localhost","uri":"/%d/%d/%d","headers":{"User-Agent":["curl/7.82.0"],"Accept":["*/*"],"Accept-Encoding":["gzip, deflate, br"]},"tls":{"resumed":false,"version":772,"cipher_suite":4865,"proto":"h2","server_name":"example.com"}},"bytes_read": 0,"user_id":"","duration":0.000929675,"size":10900,"status":200,"resp_headers":{"Server":["Caddy"],"Content-Encoding":["gzip"],"Content-Type":["text/html; charset=utf-8"],"Vary":["Accept-Encoding"]}}` + "\n", Of(Client, ClientPort, Duration)},
	} {
		b.Run(c.name, func(b *testing.B) {
			log := made(20000, c.format)
			l, err := Detect(log[:60000])
			if err != nil {
				b.Fatal(err)
			}
			p := NewParser(l, c.want)
			b.SetBytes(int64(len(log)))
			b.ReportAllocs()
			for b.Loop() {
				for rest := log; len(rest) > 0; { // in blocks, as a Source has them
					n := min(len(rest), BlockSize)
					for n < len(rest) && rest[n-1] != '\n' {
						n++
					}
					p.Reset(rest[:n])
					for {
						if _, ok := p.Next(); !ok {
							break
						}
					}
					rest = rest[n:]
				}
			}
			if p.Bad > 0 || p.Lines == 0 {
				b.Fatalf("%d of %d lines are bad", p.Bad, p.Lines)
			}
			b.ReportMetric(float64(p.Lines)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}
