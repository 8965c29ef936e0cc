package weblog

import (
	"strings"
	"testing"
	"time"
)

// one reads the one entry of a line.
func one(t *testing.T, l *Layout, line string) Entry {
	t.Helper()
	p := NewParser(l, ^Fields(0))
	p.OnBad = func(b []byte) { t.Errorf("bad: %s", b) }
	p.Reset([]byte(line))
	e, ok := p.Next()
	if !ok {
		t.Fatalf("%s: no entry in %q", l.Name, line)
	}
	return *e
}

func at(t *testing.T, s string) int64 {
	t.Helper()
	when, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return when.UnixNano()
}

func TestKnownFormats(t *testing.T) {
	ms := int64(time.Millisecond)
	for _, c := range []struct {
		name, line string
		clock      Clock
		check      func(e Entry) bool
	}{
		{"combined", `192.0.2.7 - ann [17/May/2015:10:05:03 +0200] "GET /a?b=\"c HTTP/1.1" 200 203023 "http://example.com/" "Mozilla/5.0 (X11)"`, Unstated, func(e Entry) bool {
			return string(e.Client) == "192.0.2.7" && e.At == at(t, "2015-05-17T10:05:03+02:00") && e.Status == 200 && e.Sent == 203023 && string(e.Agent) == "Mozilla/5.0 (X11)" && string(e.Request) == `GET /a?b=\"c HTTP/1.1`
		}},
		{"common", `2001:db8::7 - - [01/Jan/2026:00:00:00 +0000] "-" 408 -`, Unstated, func(e Entry) bool {
			return string(e.Client) == "2001:db8::7" && e.Sent == Unknown && e.Status == 408 && e.Request == nil
		}},
		{"vhost_combined", `example.com:443 192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/2.0" 304 0 "-" "curl/8"`, Unstated, func(e Entry) bool {
			return string(e.Host) == "example.com" && e.Sent == 0 && e.Status == 304
		}},
		{"Traefik", `192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 12 "-" "curl/8" 17 "web@file" "http://10.0.0.2:80" 23ms`, AtStart, func(e Entry) bool {
			return e.Duration == 23*ms && string(e.Server) == "http://10.0.0.2:80"
		}},
		{"Squid", `1286536308.779    180 192.0.2.7 TCP_MISS/200 411 GET http://example.com/ - HIER_DIRECT/192.0.2.9 text/html`, AtEnd, func(e Entry) bool {
			return e.At == 1286536308779*ms && e.Duration == 180*ms && e.Status == 200 && e.Sent == 411 && string(e.Client) == "192.0.2.7"
		}},
		{"HAProxy httplog", `Feb  6 12:14:14 localhost haproxy[14389]: 192.0.2.7:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {example.com} {} "GET /index.html HTTP/1.1"`, AtStart, func(e Entry) bool {
			return string(e.Client) == "192.0.2.7" && e.ClientPort == 33317 && e.At == at(t, "2009-02-06T12:14:14.655Z") && e.Duration == 109*ms && e.ServerConnect == 30*ms && string(e.State) == "----" && string(e.Server) == "srv1"
		}},
		{"HAProxy httplog", `::1:33317 [06/Feb/2009:12:14:14.655] http-in http-in/<NOSRV> -1/-1/-1/-1/5000 408 212 - - cR-- 1/1/0/0/0 0/0 "<BADREQ>"`, AtStart, func(e Entry) bool {
			return string(e.Client) == "::1" && e.ClientPort == 33317 && e.ServerConnect == Unknown && e.Status == 408 && e.Duration == 5000*ms
		}},
		{"Envoy", `[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "nsq2http" "cc21d9b0" "locations" "tcp://10.0.2.1:80"`, AtStart, func(e Entry) bool {
			return e.Received == 154 && e.Sent == 0 && e.Duration == 226*ms && e.ServerTime == 100*ms && string(e.Forwarded) == "10.0.35.28" && string(e.Host) == "locations"
		}},
		{"ingress-nginx", `192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "curl/8" 300 0.012 [default-web-80] [] 10.0.0.5:80, 10.0.0.6:80 : 10.0.0.7:80 0, 5 : 5 0.001, 0.002 : 0.009 502, 200 : 200 7c3e`, AtEnd, func(e Entry) bool {
			return e.Duration == 12*ms && e.ServerTime == 9*ms && string(e.Server) == "10.0.0.5:80, 10.0.0.6:80 : 10.0.0.7:80" && e.Received == 300
		}},
		{"AWS ALB", `https 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.0.2.7:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "GET https://www.example.com:443/ HTTP/1.1" "curl/7.46.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws "Root=1-58337281" "www.example.com" "arn" 1 2018-07-02T22:22:48.364000Z "authenticate,forward" "-" "-" "10.0.0.1:80" "200" "-" "-"`, AtEnd, func(e Entry) bool {
			return e.ClientPort == 2817 && e.Duration == 171*ms && e.At == at(t, "2018-07-02T22:23:00.186641Z") && string(e.TLS) == "TLSv1.2"
		}},
		{"Caddy JSON", `{"level":"info","ts":1646861401.5241024,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"192.0.2.7","remote_port":"41342","client_ip":"192.0.2.7","proto":"HTTP/2.0","method":"GET","host":"localhost","uri":"/","headers":{"User-Agent":["curl/7.82.0"],"Accept":["*/*"]},"tls":{"resumed":false,"version":772,"cipher_suite":4865,"proto":"h2","server_name":"example.com"}},"bytes_read": 0,"user_id":"","duration":2.4e-05,"size":10900,"status":200,"resp_headers":{"Server":["Caddy"]}}`, AtEnd, func(e Entry) bool {
			return e.ClientPort == 41342 && e.Duration == 24000 && e.Resumed == 0 && string(e.Agent) == "curl/7.82.0" && e.At == 1646861401524102400 && e.Sent == 10900
		}},
		{"Traefik JSON", `{"ClientHost":"192.0.2.7","ClientPort":"52018","DownstreamContentSize":12,"DownstreamStatus":200,"Duration":1234567,"OriginDuration":1000000,"RequestHost":"example.com","RequestMethod":"GET","RequestPath":"/","RequestProtocol":"HTTP/1.1","StartUTC":"2026-01-01T00:00:00.123456789Z"}`, AtStart, func(e Entry) bool {
			return e.Duration == 1234567 && e.At == at(t, "2026-01-01T00:00:00.123456789Z") && e.ClientPort == 52018
		}},
		{"Envoy JSON", `{"start_time":"2026-01-01T00:00:00.123Z","response_code":200,"duration":7,"downstream_remote_address":"[2001:db8::7]:50000","bytes_sent":5,"connection_id":99}`, AtStart, func(e Entry) bool {
			return string(e.Client) == "2001:db8::7" && e.ClientPort == 50000 && e.Connection == 99 && e.Duration == 7*ms
		}},
		{"JSON", `{"time_local":"01/Jan/2026:00:00:00 +0000","msec":"1767225600.123","remote_addr":"192.0.2.7","connection":"12","connection_requests":"3","request_time":"0.005","status":"200","note":{"a":[1,"]"]}}`, AtEnd, func(e Entry) bool {
			return e.At == 1767225600123*ms && e.Connection == 12 && e.Number == 3 && e.Duration == 5*ms && e.Status == 200
		}},
		{"IIS", "#Software: Microsoft Internet Information Services 10.0\r\n#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken\r\n2026-01-01 12:00:01 10.0.0.1 GET / - 80 - 192.0.2.7 Mozilla/5.0+(X) - 200 0 0 15\r\n", AtEnd, func(e Entry) bool {
			return e.At == at(t, "2026-01-01T12:00:01Z") && e.Duration == 15*ms && string(e.Client) == "192.0.2.7"
		}},
		{"CloudFront", "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status time-taken c-port\n2026-01-01\t12:00:01\tFRA2\t2390\t192.0.2.7\tGET\tx.cloudfront.net\t/\t200\t0.001\t11040\n", AtEnd, func(e Entry) bool {
			return e.Sent == 2390 && e.Duration == ms && e.ClientPort == 11040 && e.Status == 200
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := Detect([]byte(c.line))
			if err != nil {
				t.Fatal(err)
			}
			if l.Name != c.name || l.Clock != c.clock {
				t.Errorf("found as %s, its time as %s", l.Name, l.Clock)
			}
			if e := one(t, l, c.line); !c.check(e) {
				t.Errorf("%+v", e)
			}
		})
	}
}

// What users paste out of their configurations.
func TestGivenFormats(t *testing.T) {
	ms := int64(time.Millisecond)
	for _, c := range []struct {
		name, format, line string
		check              func(e Entry) bool
	}{
		{"nginx, as in its file", "log_format conns '$remote_addr:$remote_port [$time_local] '\n   '\"$request\" $status $connection $connection_requests '\n  '$request_time $ssl_session_reused $tcpinfo_rtt $msec';",
			`2001:db8::7:51000 [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 7 3 0.250 r 1500 1767225600.123`, func(e Entry) bool {
				return string(e.Client) == "2001:db8::7" && e.ClientPort == 51000 && e.Connection == 7 && e.Number == 3 && e.Duration == 250*ms && e.Resumed == 1 && e.RTT == 1500000 && e.At == 1767225600123*ms
			}},
		{"nginx, with escape=json", `log_format j escape=json '{"t":"$msec","a":"$remote_addr","s":$status}';`,
			`{"t":"1767225600.123","a":"192.0.2.7","s":200}`, func(e Entry) bool {
				return e.At == 1767225600123*ms && string(e.Client) == "192.0.2.7" && e.Status == 200
			}},
		{"Apache", `LogFormat "%h %l %u %t \"%r\" %>s %O %D %k %X %{remote}p" conns`,
			`192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 300 1500 0 + 40000`, func(e Entry) bool {
				return e.Duration == 1500000 && e.Number == 1 && string(e.State) == "+" && e.ClientPort == 40000
			}},
		{"Apache, bare", `%a %{usec}t %{ms}T %s`, `192.0.2.7 1767225600123456 15 200`, func(e Entry) bool {
			return e.At == 1767225600123456000 && e.Duration == 15*ms
		}},
		{"varnishncsa", `%h %t "%r" %s %b %D %{Varnish:handling}x`, `192.0.2.7 [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 300 1500 hit`, func(e Entry) bool {
			return e.Duration == 1500000
		}},
		{"HAProxy", `log-format "%ci:%cp [%tr] %Ta/%Tc %ST %{+Q}r"`, `192.0.2.7:40000 [01/Jan/2026:00:00:00.123] 15/0 200 "GET / HTTP/1.1"`, func(e Entry) bool {
			return e.ServerConnect == 0 && e.Duration == 15*ms && e.At == 1767225600123*ms
		}},
		{"Envoy", `%START_TIME% %DOWNSTREAM_REMOTE_ADDRESS% %CONNECTION_ID% %RESPONSE_CODE% %DURATION%`, `2026-01-01T00:00:00.123Z 192.0.2.7:40000 17 200 15`, func(e Entry) bool {
			return e.Connection == 17 && e.ClientPort == 40000
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := Parse("", c.format)
			if err != nil {
				t.Fatal(err)
			}
			if e := one(t, l, c.line); !c.check(e) {
				t.Errorf("%+v", e)
			}
		})
	}
	for format, want := range map[string]string{
		"hello":                "none of them",
		"$remote_addr $status": "no time",
		"$msec$status":         "side by side",
		"%{%s}t %h":            "is not read",
		"${msec $status":       "no }",
	} {
		if _, err := Parse("", format); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", format, err, want)
		}
	}
}

// Times that no request can be of are of no line of the format.
func TestTimesThatAreNone(t *testing.T) {
	l, err := Detect([]byte(`a - - [17/May/2015:10:05:03 +0200] "GET / HTTP/1.1" 200 1`))
	if err != nil {
		t.Fatal(err)
	}
	for _, year := range []string{"0001", "1969", "2262", "9999"} {
		p := NewParser(l, ^Fields(0))
		p.Reset([]byte(`a - - [17/May/` + year + `:10:05:03 +0200] "GET / HTTP/1.1" 200 1`))
		if e, ok := p.Next(); ok || p.Bad != 1 {
			t.Errorf("%s: %+v", year, e)
		}
	}
}
