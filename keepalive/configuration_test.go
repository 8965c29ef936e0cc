package keepalive

import (
	"strings"
	"testing"
	"time"
)

func TestConfigurations(t *testing.T) {
	for name, c := range map[string]struct {
		text     string
		software string
		idle     time.Duration
		limit    int
		at       string
		problem  string
	}{
		"nginx":                 {"user www-data;\nhttp {\n  # keepalive_timeout 1;\n  keepalive_timeout  65s 60s;\n  upstream u { server a; keepalive 16; keepalive_timeout 5s; }\n  server { keepalive_requests 50; }\n}", "nginx", 65 * time.Second, 50, "conf:4", ""},
		"nginx, defaults":       {"events {}\nhttp { server { listen 80; } }", "nginx", 75 * time.Second, 1000, "", ""},
		"nginx, differing":      {"http { server { keepalive_timeout 5s; }\n server { keepalive_timeout 1m; } }", "nginx", 5 * time.Second, 1000, "conf:1", "conf:2 one of 1m0s"},
		"nginx, included":       {"http {\ninclude sites/*;\n}", "nginx", 7 * time.Second, 1000, "a:1", ""},
		"Apache":                {"ServerRoot /etc/apache2\nKeepAlive On\nKeepAliveTimeout 15\nMaxKeepAliveRequests 0\n", "apache", 15 * time.Second, 0, "conf:3", ""},
		"Apache, a limit":       {"KeepAliveTimeout 5\nMaxKeepAliveRequests 5\n", "apache", 5 * time.Second, 6, "conf:1", ""},
		"Apache, ms":            {"Timeout 300\nKeepAliveTimeout 500ms\n", "apache", 500 * time.Millisecond, 101, "conf:2", ""},
		"Apache, off":           {"ServerRoot x\nKeepAlive Off\nKeepAliveTimeout 15\n", "apache", 0, 101, "conf:2", ""},
		"HAProxy":               {"defaults\n  timeout client 30s\n  timeout http-keep-alive 4s\nbackend b\n  timeout http-keep-alive 9s\n", "haproxy", 4 * time.Second, 0, "conf:3", ""},
		"HAProxy, client":       {"defaults\n  timeout client 30000\n", "haproxy", 30 * time.Second, 0, "conf:2", ""},
		"HAProxy, request":      {"defaults\n  timeout client 30s\n  timeout http-request 10s\n", "haproxy", 10 * time.Second, 0, "conf:3", ""},
		"none of these":         {"hello world\n", "", 0, 0, "", "no configuration of nginx, Apache or HAProxy"},
		"blocks without an end": {"http " + strings.Repeat("{ x ", 100), "nginx", 75 * time.Second, 1000, "", "too deep"},
	} {
		include := func(string) (map[string][]byte, error) {
			return map[string][]byte{"a": []byte("server { keepalive_timeout 7; }")}, nil
		}
		got, err := ReadConfiguration("/etc/conf", []byte(c.text), include)
		if c.problem == "" && err != nil || c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
			t.Errorf("%s: %v, want %q", name, err, c.problem)
		}
		if got.Software != c.software || got.Idle != c.idle || got.Limit != c.limit || got.IdleAt != c.at {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestConfigurationsHaveLogs(t *testing.T) {
	got, err := ReadConfiguration("nginx.conf", []byte("http { log_format main escape=json '$remote_addr '\n '$msec'; access_log /var/log/a.log main; }"), nil)
	if err != nil || got.Formats["main"] != "$remote_addr $msec" || got.Logs["/var/log/a.log"] != "main" {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = ReadConfiguration("httpd.conf", []byte("ServerRoot /x\nLogFormat \"%h %{usec}t \\\"%r\\\" %>s\" full\nCustomLog \"logs/a\" full\n"), nil)
	if err != nil || got.Formats["full"] != `"%h %{usec}t \"%r\" %>s"` || got.Logs["logs/a"] != "full" {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzConfiguration(f *testing.F) {
	f.Add("http { keepalive_timeout 5; include x; log_format a '$b' \"c\"; ${d} }")
	f.Add("ServerRoot x\nKeepAliveTimeout 5ms\nLogFormat \"\\\"\" x\n")
	f.Add("defaults\n timeout client 1us\n")
	f.Fuzz(func(t *testing.T, text string) {
		ReadConfiguration("x", []byte(text), func(string) (map[string][]byte, error) { return map[string][]byte{"y": []byte(text)}, nil })
	})
}
