package decrypted

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"linger/internal/testall"
	"linger/internal/tshark"
	"linger/trace"
)

// A program is a client of others' that asks a server of others', or of Go.
type program struct {
	name, server string
	needs        string // programs of the client, with commas
	client       client
}

var programs = []program{
	{"curl, HTTP/1.1, kept", "nginx", "curl", curl("--http1.1", usual...)},
	{"curl, HTTP/1.1, kept", "Caddy", "curl", curl("--http1.1", usual...)},
	{"curl, HTTP/1.1, kept", "HAProxy", "curl", curl("--http1.1", usual...)},
	{"curl, HTTP/1.1, kept", "Apache", "curl", curl("--http1.1", usual...)},
	{"curl, HTTP/1.1, kept", "Node", "curl", curl("--http1.1", usual...)},
	{"curl, HTTP/1.1, kept", "Go", "curl", curl("--http1.1", usual...)},
	{"curl, HTTP/1.1, kept", "linger serve", "curl", curl("--http1.1", usual...)},
	{"curl, HTTP/1.1, chunked", "Go", "curl", curl("--http1.1", "1k", "100k?chunked", "1k?chunked", "1m?chunked")},
	{"curl, HTTP/1.1, a connection each", "nginx", "curl", curl("--http1.1 -H 'Connection: close'", usual...)},
	{"curl, HTTP/1.1, a process each", "nginx", "curl", several(curl("--http1.1", "1k"), curl("--http1.1", "100k"), curl("--http1.1", "none"))},
	{"curl, HTTP/1.1, upload", "nginx", "curl", curl("--http1.1 --data-binary @DIR/site/1m", "up", "up")},
	{"curl, HTTP/1.1, upload with 100-continue", "Go", "curl", curl("--http1.1 -H 'Expect: 100-continue' --data-binary @DIR/site/1m", "up", "up")},
	{"curl, HTTP/1.1, TLS 1.2", "nginx", "curl", curl("--http1.1 --tls-max 1.2", usual...)},
	{"curl, HTTP/1.1, AES-256-GCM", "nginx", "curl", curl("--http1.1 --tls13-ciphers TLS_AES_256_GCM_SHA384", usual...)},
	{"curl, HTTP/1.1, ChaCha20", "nginx", "curl", curl("--http1.1 --tls13-ciphers TLS_CHACHA20_POLY1305_SHA256", usual...)},
	{"curl, HTTP/1.1, AES-128-GCM", "nginx", "curl", curl("--http1.1 --tls13-ciphers TLS_AES_128_GCM_SHA256", usual...)},
	{"curl, TLS 1.2, AES-128-CBC-SHA256", "nginx", "curl", curl("--http1.1 --tls-max 1.2 --ciphers ECDHE-ECDSA-AES128-SHA256", usual...)},
	{"curl, TLS 1.2, AES-256-CBC-SHA384", "nginx", "curl", curl("--http1.1 --tls-max 1.2 --ciphers ECDHE-ECDSA-AES256-SHA384", usual...)},
	{"curl, TLS 1.2, AES-128-CBC-SHA", "nginx", "curl", curl("--http1.1 --tls-max 1.2 --ciphers ECDHE-ECDSA-AES128-SHA", usual...)},
	{"curl, TLS 1.2, ChaCha20", "nginx", "curl", curl("--http1.1 --tls-max 1.2 --ciphers ECDHE-ECDSA-CHACHA20-POLY1305", usual...)},
	{"curl, TLS 1.2, AES-256-GCM", "nginx", "curl", curl("--http1.1 --tls-max 1.2 --ciphers ECDHE-ECDSA-AES256-GCM-SHA384", usual...)},
	{"curl, TLS 1.2, AES-128-CCM", "nginx", "curl", curl("--http1.1 --tls-max 1.2 --ciphers ECDHE-ECDSA-AES128-CCM", usual...)},
	{"curl, TLS 1.1", "nginx", "curl", curl("--http1.1 --tlsv1.1 --tls-max 1.1 --ciphers ALL:@SECLEVEL=0", usual...)},
	{"curl, TLS 1.0", "nginx", "curl", curl("--http1.1 --tlsv1.0 --tls-max 1.0 --ciphers ALL:@SECLEVEL=0", usual...)},
	{"curl, HTTP/2", "nginx", "curl", curl("--http2", usual...)},
	{"curl, HTTP/2", "Caddy", "curl", curl("--http2", usual...)},
	{"curl, HTTP/2", "HAProxy", "curl", curl("--http2", usual...)},
	{"curl, HTTP/2", "Apache", "curl", curl("--http2", usual...)},
	{"curl, HTTP/2", "Node", "curl", curl("--http2", usual...)},
	{"curl, HTTP/2", "Go", "curl", curl("--http2", usual...)},
	{"curl, HTTP/2", "linger serve", "curl", curl("--http2", usual...)},
	{"curl, HTTP/2, in parallel", "nginx", "curl", curl("--http2 -Z --parallel-max 8", append(usual, usual...)...)},
	{"curl, HTTP/2, in parallel", "Go", "curl", curl("--http2 -Z --parallel-max 8", append(usual, usual...)...)},
	{"curl, HTTP/2, upload", "Go", "curl", curl("--http2 --data-binary @DIR/site/1m", "up", "up")},
	{"curl, HTTP/2, upload", "Node", "curl", curl("--http2 --data-binary @DIR/site/1m", "up", "up")},
	{"curl, HTTP/2, TLS 1.2", "nginx", "curl", curl("--http2 --tls-max 1.2", usual...)},
	{"h2load, HTTP/2, 4 connections", "Go with a key log", "h2load", loaded("h2load -n 200 -c 4 -m 10 URL")},
	{"h2load, HTTP/1.1, 4 connections", "Go with a key log", "h2load", loaded("h2load --h1 -n 200 -c 4 -m 5 URL")},
	{"h2load, HTTP/1.1, 10 connections", "Go with a key log", "h2load", loaded("h2load --h1 -n 2000 -c 10 URL")},
	{"Go, HTTP/1.1", "nginx", "", ofGo(func(*http.Transport) {})},
	{"Go, HTTP/1.1, a connection each, resumed", "nginx", "", ofGo(func(t *http.Transport) { t.DisableKeepAlives = true })},
	{"Go, HTTP/1.1, a connection each, resumed, TLS 1.2", "nginx", "", ofGo(func(t *http.Transport) { t.DisableKeepAlives = true; t.TLSClientConfig.MaxVersion = 0x0303 })},
	{"Go, HTTP/1.1, a connection each, resumed", "Caddy", "", ofGo(func(t *http.Transport) { t.DisableKeepAlives = true })},
	{"Go, HTTP/1.1, a connection each, resumed", "HAProxy", "", ofGo(func(t *http.Transport) { t.DisableKeepAlives = true })},
	{"Go, HTTP/2", "nginx", "", ofGo(func(t *http.Transport) { t.ForceAttemptHTTP2 = true })},
	{"Go, HTTP/2", "Caddy", "", ofGo(func(t *http.Transport) { t.ForceAttemptHTTP2 = true })},
	{"Go, HTTP/2", "Apache", "", ofGo(func(t *http.Transport) { t.ForceAttemptHTTP2 = true })},
	{"Go, HTTP/2", "HAProxy", "", ofGo(func(t *http.Transport) { t.ForceAttemptHTTP2 = true })},
	{"quic-go, HTTP/3", "Caddy", "", ofGoHTTP3},
	{"quic-go, HTTP/3", "Go HTTP/3", "", ofGoHTTP3},
	{"quic-go, HTTP/3", "linger serve", "", ofGoHTTP3},
	{"Chromium, HTTP/1.1", "Go", "chromium", chromium("--disable-http2 --disable-quic")},
	{"Chromium, HTTP/1.1", "nginx", "chromium", chromium("--disable-http2 --disable-quic")},
	{"Chromium, HTTP/2", "Go", "chromium", chromium("--disable-quic")},
	{"Chromium, HTTP/2", "nginx", "chromium", chromium("--disable-quic")},
	{"Chromium, HTTP/2", "Caddy", "chromium", chromium("--disable-quic")},
	{"Chromium, HTTP/3", "Go HTTP/3", "chromium", chromium("--origin-to-force-quic-on=ADDRESS")},
	{"Chromium, HTTP/3", "Caddy", "chromium", chromium("--origin-to-force-quic-on=ADDRESS")},
	{"Node, HTTP/1.1, 3 sockets", "Go", "node", script("node --tls-keylog=KEYLOG", "a.js", nodeHTTP1)},
	{"Node, HTTP/1.1, 3 sockets", "Node", "node", script("node --tls-keylog=KEYLOG", "a.js", nodeHTTP1)},
	{"Node, HTTP/2", "Go", "node", script("node --tls-keylog=KEYLOG", "a.js", nodeHTTP2)},
	{"Node, HTTP/2", "HAProxy", "node", script("node --tls-keylog=KEYLOG", "a.js", nodeHTTP2)},
	{"Python, requests", "nginx", "python3", script("python3", "a.py", pythonRequests)},
	{"Python, http.client, TLS 1.2", "nginx", "python3", script("python3", "a.py", pythonPlain)},
	{"openssl s_client, resumed", "nginx", "openssl", several(sClient("-ign_eof -sess_out DIR/session", last1k), sClient("-ign_eof -sess_in DIR/session", last1k))},
	{"openssl s_client, resumed, TLS 1.2", "nginx", "openssl", several(sClient("-tls1_2 -ign_eof -sess_out DIR/session", last1k), sClient("-tls1_2 -ign_eof -sess_in DIR/session", last1k))},
	{"openssl s_client, early data", "nginx", "openssl", several(sClient("-ign_eof -sess_out DIR/session", last1k), earlyData)},
	{"openssl s_client, key updates", "nginx", "openssl", sClient("", get1k, `K\n`, get1k, `k\n`, last1k)},
	{"openssl s_client, HelloRetryRequest", "nginx", "openssl", sClient("-ign_eof -groups X448:P-256", last1k)},
}

// loaded has a program of load ask, of which the server is to say what it did.
func loaded(line string) client {
	return func(s *stage) said {
		s.sh(strings.ReplaceAll(line, "URL", s.url("/1k")))
		return silent()
	}
}

// earlyData sends a request in early data, with the session of a client before.
func earlyData(s *stage) said {
	s.write("early", strings.NewReplacer(`\r`, "\r", `\n`, "\n").Replace(last1k))
	return sClient("-ign_eof -sess_in DIR/session -early_data DIR/early", "")(s)
}

// TestPrograms has real programs speak, captures them, and reads what they said with the keys
// that they logged: the same as tshark with those, and as the programs themselves say.
func TestPrograms(t *testing.T) {
	for _, p := range programs {
		t.Run(p.name+" > "+p.server, func(t *testing.T) {
			if p.needs != "" {
				testall.Needs(t, strings.Split(p.needs, ",")...)
			}
			s := newStage(t)
			servers[p.server](s)
			var says said
			file := s.record(func() { says = p.client(s) })
			keep(t, p.name+" "+p.server, file, s.keylog)
			got, _, err := read(file, s.keylog)
			if err != nil {
				t.Fatal(err)
			}
			againstProgram(t, s, says, got)
			more := []string{"-o", "tls.keylog_file:" + s.keylog, "-d", "tcp.port==" + s.port + ",tls", "-d", "udp.port==" + s.port + ",quic"}
			againstTshark(t, p.name+" > "+p.server, file, got, more...)
			againstFrames(t, p.name+" > "+p.server, file, got, more...)
		})
	}
}

// againstProgram holds what was read against what client and server say.
func againstProgram(t *testing.T, s *stage, says said, got tshark.Records) {
	t.Helper()
	codes, up, down, opened := statuses{}, int64(0), int64(0), 0
	for _, x := range got.Exchanges {
		if x.Known == trace.Inferred {
			continue
		}
		codes[strconv.Itoa(x.Status)]++
		up += x.RequestBody
		down += x.ResponseBody
	}
	for _, c := range got.Connections {
		opened += count(c.Requests > 0)
	}
	if len(says.statuses) > 0 && codes.String() != says.statuses.String() {
		t.Errorf("%s read, the client says %s", codes, says.statuses)
	}
	if s.served != nil && s.served.String() != codes.String() {
		t.Errorf("%s read, the server says %s", codes, s.served)
	}
	if says.connections >= 0 && says.connections != opened {
		t.Errorf("%d connections with requests read, the client says %d", opened, says.connections)
	}
	if says.up >= 0 && says.up != up || says.down >= 0 && says.down != down {
		t.Errorf("%d bytes up and %d down read, the client says %d and %d", up, down, says.up, says.down)
	}
}

// keep copies a capture and its key log to where captures are kept, if they are.
func keep(t *testing.T, name, file, keylog string) {
	t.Helper()
	dir := os.Getenv("LINGER_TEST_CAPTURES")
	if dir == "" {
		return
	}
	name = strings.NewReplacer("/", "", " ", "-", ",", "", ".", "").Replace(name)
	for from, to := range map[string]string{file: name + ".pcap", keylog: name + ".keys"} {
		b, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(testDir(t), to), b, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// TestJoined captures servers of HTTP/3 that hand the kernel several datagrams as one
// (UDP_SEGMENT), on their own host: they are taken apart, and all is read. tshark 4.0 cannot.
func TestJoined(t *testing.T) {
	t.Setenv("QUIC_GO_DISABLE_GSO", "")
	for _, p := range programs {
		if !strings.Contains(p.name, "HTTP/3") {
			continue
		}
		t.Run(p.name+" > "+p.server, func(t *testing.T) {
			if p.needs != "" {
				testall.Needs(t, strings.Split(p.needs, ",")...)
			}
			s := newStage(t)
			servers[p.server](s)
			var says said
			file := s.record(func() { says = p.client(s) })
			keep(t, "joined "+p.name+" "+p.server, file, s.keylog)
			got, sum, err := read(file, s.keylog)
			if err != nil {
				t.Fatal(err)
			}
			againstProgram(t, s, says, got)
			packets := int64(0)
			for _, c := range got.Connections {
				if !c.QUIC.IsZero() {
					packets += c.Up.Or(trace.Flow{}).Packets + c.Down.Or(trace.Flow{}).Packets
					if keys := c.TLS.Or(trace.TLS{}).Keys; keys != trace.AllKeys {
						t.Errorf("keys of %s: %q", c.Protocol, keys)
					}
				}
			}
			if sum.Joined != 0 {
				t.Errorf("%d were not taken apart", sum.Joined)
			}
			t.Logf("%-32s %d frames, %d datagrams of QUIC, %d exchanges", p.name+" > "+p.server, sum.Frames, packets, len(got.Exchanges))
		})
	}
}
