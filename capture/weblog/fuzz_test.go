package weblog

import (
	"bytes"
	"testing"
)

// fuzzed mutates a line of one format: whatever it becomes, reading it ends, and what is read
// with all fields and with few agrees.
func fuzzed(f *testing.F, software, format string, lines ...string) {
	for _, line := range lines {
		f.Add([]byte(line))
		f.Add([]byte(line + "\n" + line + "\r\n" + line[:len(line)/2]))
	}
	layout := func(t *testing.T) *Layout {
		var l *Layout
		var err error
		if format != "" {
			l, err = Parse(software, format)
		} else {
			l, err = Detect([]byte(lines[0]))
		}
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	f.Fuzz(func(t *testing.T, log []byte) {
		l := layout(t)
		all, few := NewParser(l, ^Fields(0)), NewParser(l, Of(Client))
		all.Reset(log)
		few.Reset(log)
		n := int64(0)
		for {
			e, ok := all.Next()
			if !ok {
				break
			}
			n++
			if len(e.Client) > len(log) || e.ClientPort < Unknown || e.ClientPort > 65535 || e.Duration < Unknown {
				t.Fatalf("%+v", e)
			}
		}
		m := int64(0)
		for {
			if _, ok := few.Next(); !ok {
				break
			}
			m++
		}
		if lines := int64(bytes.Count(log, []byte("\n"))) + 1; n > lines || m > lines {
			t.Fatalf("%d and %d entries of %d lines", n, m, lines)
		}
		if m < n {
			t.Fatalf("%d lines are of the format by all fields, and %d by few", n, m)
		}
		Detect(log)
	})
}

func FuzzCommon(f *testing.F) {
	fuzzed(f, "", "", `2001:db8::7 - - [01/Jan/2026:00:00:00 +0000] "-" 408 -`)
}

func FuzzCombined(f *testing.F) {
	fuzzed(f, "", "", `192.0.2.7 - ann [17/May/2015:10:05:03 +0200] "GET /a?b=\"c HTTP/1.1" 200 203023 "http://example.com/" "Mozilla/5.0 (X11)"`)
}

func FuzzNginx(f *testing.F) {
	fuzzed(f, "nginx", `$remote_addr:$remote_port $msec "$request" $status $connection $connection_requests $request_time $ssl_session_reused $upstream_connect_time $tcpinfo_rtt`,
		`192.0.2.7:4321 1431857103.123 "GET / HTTP/1.1" 200 17 3 0.012 r 0.010, 0.002 : - 12345`, `[::1]:1 1431857103.123 "-" 400 17 3 0.012 - - -`)
}

func FuzzIngress(f *testing.F) {
	fuzzed(f, "", "", `192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "curl/8" 300 0.012 [default-web-80] [] 10.0.0.5:80, 10.0.0.6:80 : 10.0.0.7:80 0, 5 : 5 0.001, 0.002 : 0.009 502, 200 : 200 7c3e`)
}

func FuzzApache(f *testing.F) {
	fuzzed(f, "apache", `%h %{remote}p %{usec}t \"%r\" %>s %B %D %k %X %{SSL_SESSION_RESUMED}x`, `192.0.2.7 4321 1431857103123456 "GET / HTTP/1.1" 200 10 1234 2 + Resumed`)
}

func FuzzHAProxy(f *testing.F) {
	fuzzed(f, "", "", `Feb  6 12:14:14 localhost haproxy[14389]: 192.0.2.7:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {example.com} {} "GET /index.html HTTP/1.1"`,
		`::1:33317 [06/Feb/2009:12:14:14.655] http-in http-in/<NOSRV> -1/-1/-1/-1/5000 408 212 - - cR-- 1/1/0/0/0 0/0 "<BADREQ>"`)
}

func FuzzEnvoy(f *testing.F) {
	fuzzed(f, "", "", `[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "nsq2http" "cc21d9b0" "locations" "tcp://10.0.2.1:80"`)
}

func FuzzTraefik(f *testing.F) {
	fuzzed(f, "", "", `192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 12 "-" "curl/8" 17 "web@file" "http://10.0.0.2:80" 23ms`)
}

func FuzzTraefikJSON(f *testing.F) {
	fuzzed(f, "", "", `{"ClientHost":"192.0.2.7","ClientPort":"52018","DownstreamContentSize":12,"DownstreamStatus":200,"Duration":1234567,"RequestProtocol":"HTTP/1.1","StartUTC":"2026-01-01T00:00:00.123456789Z"}`)
}

func FuzzCaddy(f *testing.F) {
	fuzzed(f, "", "", `{"level":"info","ts":1646861401.5241024,"request":{"remote_ip":"192.0.2.7","remote_port":"41342","proto":"HTTP/2.0","method":"GET","uri":"/","tls":{"resumed":false,"version":772}},"duration":2.4e-05,"size":10900,"status":200}`)
}

func FuzzJSON(f *testing.F) {
	fuzzed(f, "", "", `{"time":"2026-01-01T00:00:00Z","remote_addr":"192.0.2.7","status":200,"request_time":"0.012","connection":"17","a":[{"b":"]}"}]}`)
}

func FuzzW3C(f *testing.F) {
	fuzzed(f, "", "", "#Fields: date time c-ip sc-status time-taken\n2026-01-01 12:00:01 192.0.2.7 200 1\n#Fields: time date\n12:00:01 2026-01-01")
}

func FuzzALB(f *testing.F) {
	fuzzed(f, "", "", `https 2018-07-02T22:23:00.186641Z app/my/50dc 192.0.2.7:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "GET https://www.example.com:443/ HTTP/1.1" "curl/7.46.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws "Root=1-58337281" "www.example.com" "arn" 1 2018-07-02T22:22:48.364000Z "authenticate,forward" "-" "-" "10.0.0.1:80" "200" "-" "-"`)
}

func FuzzSquid(f *testing.F) {
	fuzzed(f, "", "", `1286536308.779    180 192.0.2.7 TCP_MISS/200 411 GET http://example.com/ - HIER_DIRECT/192.0.2.9 text/html`)
}

func FuzzVarnish(f *testing.F) {
	fuzzed(f, "varnish", `%h %l %u %t "%r" %s %b "%{Referer}i" "%{User-agent}i"`, `192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET http://a/ HTTP/1.1" 200 5 "-" "curl/8"`)
}
