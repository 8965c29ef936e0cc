package decrypted

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/quic-go/quic-go/http3"
)

// said is what a program says of what it did; what it does not say is -1, or nil.
type said struct {
	statuses    statuses
	connections int
	up, down    int64 // content
}

// silent is a program that says nothing.
func silent() said { return said{nil, -1, -1, -1} }

// A client asks the server of a stage.
type client func(*stage) said

// curl asks for files by one process, with further arguments. Each file is a transfer of its own.
func curl(args string, names ...string) client {
	return func(s *stage) said {
		line := "curl -sk " + args + ` -w '%{http_code} %{num_connects} %{size_upload} %{size_download}\n'`
		for i, name := range names {
			line += fmt.Sprintf(" -o DIR/out.%d '%s'", i, s.url(s.path(name)))
		}
		return saidByCurl(s.sh(line))
	}
}

func saidByCurl(out string) said {
	r := said{statuses: statuses{}}
	for line := range strings.Lines(out) {
		var code string
		var connects int
		var up, down int64
		fmt.Sscan(line, &code, &connects, &up, &down)
		r.statuses[code]++
		r.connections += connects
		r.up += up
		r.down += down
	}
	return r
}

// several runs one client after the other.
func several(clients ...client) client {
	return func(s *stage) said {
		sum := said{statuses: statuses{}}
		for _, c := range clients {
			one := c(s)
			for code, n := range one.statuses {
				sum.statuses[code] += n
			}
			sum.connections += one.connections
			sum.up += one.up
			sum.down += one.down
		}
		return sum
	}
}

// usual are the files that most ask for.
var usual = []string{"1k", "1k", "100k", "none", "1k", "1m", "1k"}

// ofGo asks by Go's own client, so many requests one after the other and then an upload.
func ofGo(edit func(*http.Transport)) client {
	return func(s *stage) said {
		t := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, KeyLogWriter: s.logKeys(), ClientSessionCache: tls.NewLRUClientSessionCache(8)}}
		edit(t)
		defer t.CloseIdleConnections()
		return s.fetch(&http.Client{Transport: t})
	}
}

func (s *stage) fetch(c *http.Client) said {
	r := said{statuses: statuses{}, connections: -1}
	take := func(a *http.Response, err error) {
		if err != nil {
			s.Error(err)
			return
		}
		n, err := io.Copy(io.Discard, a.Body)
		if err != nil {
			s.Error(err)
		}
		a.Body.Close()
		r.statuses[strconv.Itoa(a.StatusCode)]++
		r.down += n
	}
	for _, name := range usual {
		take(c.Get(s.url(s.path(name))))
	}
	if s.served != nil { // others answer before they have read it
		take(c.Post(s.url("/up"), "text/plain", strings.NewReader(strings.Repeat("u", 200_000))))
		r.up += 200_000
	}
	return r
}

// ofGoHTTP3 asks by quic-go's client.
func ofGoHTTP3(s *stage) said {
	t := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, KeyLogWriter: s.logKeys()}}
	defer t.Close()
	r := s.fetch(&http.Client{Transport: t})
	r.connections = 1
	return r
}

// chromium loads the page.
func chromium(args ...string) client {
	return func(s *stage) said {
		leaf, err := x509.ParseCertificate(s.server.Certificate[0])
		if err != nil {
			s.Fatal(err)
		}
		pin := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
		s.sh("chromium --headless=new --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync" +
			" --disable-extensions --disable-default-apps --no-proxy-server --user-data-dir=DIR/profile --ssl-key-log-file=KEYLOG" +
			" --ignore-certificate-errors-spki-list=" + base64.StdEncoding.EncodeToString(pin[:]) + " " + strings.Join(args, " ") +
			" --dump-dom " + s.url("/page"))
		return silent()
	}
}

// script has a program run a script, which prints the status and the size of each response.
func script(program, name, text string) client {
	return func(s *stage) said {
		s.write(name, text)
		r := said{statuses: statuses{}, connections: -1, up: -1}
		for line := range strings.Lines(s.sh(program + " DIR/" + name)) {
			var code string
			var size int64
			if n, _ := fmt.Sscan(line, &code, &size); n == 2 {
				r.statuses[code]++
				r.down += size
			}
		}
		return r
	}
}

const nodeHTTP1 = `process.env.NODE_TLS_REJECT_UNAUTHORIZED=0;const https=require('https');const agent=new https.Agent({keepAlive:true,maxSockets:3});
let left=12;for(let i=0;i<12;i++)https.get({host:'127.0.0.1',port:PORT,path:i%4==3?'/100k':i==5?'/none':'/1k',agent},r=>{let n=0;r.on('data',b=>n+=b.length);r.on('end',()=>{console.log(r.statusCode,n);if(--left==0)agent.destroy()})})`

const nodeHTTP2 = `process.env.NODE_TLS_REJECT_UNAUTHORIZED=0;const http2=require('http2');const c=http2.connect('https://127.0.0.1:PORT');
let left=12;for(let i=0;i<12;i++){const q=c.request({':path':i%4==3?'/100k':i==5?'/none':'/1k'});let n=0,s=0;q.on('response',h=>s=h[':status']);q.on('data',b=>n+=b.length);q.on('end',()=>{console.log(s,n);if(--left==0)c.close()})}`

const pythonRequests = `
import requests
s = requests.Session()
for p in ['1k', '100k', 'none', '1k', '1m']:
    r = s.get('https://127.0.0.1:PORT/' + p, verify=False)
    print(r.status_code, len(r.content))
for i in range(3):
    r = requests.get('https://127.0.0.1:PORT/1k', verify=False)
    print(r.status_code, len(r.content))
`

const pythonPlain = `
import ssl, http.client
c = ssl._create_unverified_context()
c.keylog_filename = 'KEYLOG'
c.maximum_version = ssl.TLSVersion.TLSv1_2
h = http.client.HTTPSConnection('127.0.0.1', PORT, context=c)
for p in ['1k', '100k', 'none', '1k', '1m']:
    h.request('GET', '/' + p)
    r = h.getresponse()
    print(r.status, len(r.read()))
h.close()
`

// sClient sends requests by openssl's own client, in as many turns as there are texts.
func sClient(args string, texts ...string) client {
	return func(s *stage) said {
		var turns []string
		for _, text := range texts {
			turns = append(turns, "printf '"+text+"'")
		}
		s.sh("{ sleep 0.4; " + strings.Join(turns, "; sleep 0.4; ") + "; sleep 0.6; } | openssl s_client -connect ADDRESS -keylogfile KEYLOG " + args + " 2>/dev/null >/dev/null || true")
		return silent()
	}
}

// Requests, the last of which ends the connection.
const (
	get1k  = `GET /1k HTTP/1.1\r\nHost: localhost\r\n\r\n`
	last1k = `GET /1k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`
)
