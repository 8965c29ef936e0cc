package observe

import (
	"fmt"
	"io"
	"path/filepath"

	"linger/audit"
	"linger/capture/pcap"
	"linger/capture/secrets"
	"linger/finding"
)

// A keyring gathers the secrets by which captures are read: of key logs, and of what the captures
// hold themselves. Key logs may grow, and blocks of secrets stand behind the packets that they
// are of: what a connection lacks is looked for when it is found to lack it.
type keyring struct {
	log     *secrets.Log
	files   *pcap.Files
	taken   int // bytes of the files' secrets
	scan    []Source
	growing []growing
	buf     []byte
}

// growing is a key log that may be written to.
type growing struct {
	name string
	from io.Reader
	feed *secrets.Feed
	held bool // some key
}

// keys begins with what is there. Secrets of the captures themselves come as they are read.
func (r Reading) keys(files *pcap.Files, captures []Source) *keyring {
	k := &keyring{log: &secrets.Log{}, files: files, buf: make([]byte, 32<<10)}
	for _, s := range captures {
		if s.At != nil {
			k.scan = append(k.scan, s)
		}
	}
	for _, s := range r.KeyLogs {
		k.growing = append(k.growing, growing{name: filepath.Base(s.Name), from: s.From, feed: k.log.Feed()})
	}
	k.log.More = func(*secrets.Log) { k.more() }
	k.grow()
	k.follow()
	return k
}

// follow takes in the secrets that have been read with the last frame.
func (k *keyring) follow() {
	if n := len(k.files.Secrets); n != k.taken {
		k.log.Add(k.files.Secrets[k.taken:])
		k.taken = n
	}
}

// more looks for what is not there yet.
func (k *keyring) more() {
	k.grow()
	for _, s := range k.scan {
		k.log.Add(pcap.Secrets(s.At, s.Size))
	}
	k.scan = nil
}

// grow takes in what has been appended to key logs. What cannot be read adds nothing.
func (k *keyring) grow() {
	for i := range k.growing {
		g := &k.growing[i]
		before := k.log.Counts().Secrets
		for {
			n, err := g.from.Read(k.buf)
			g.feed.Write(k.buf[:n])
			if n == 0 || err != nil {
				break
			}
		}
		g.feed.Peek()
		g.held = g.held || k.log.Counts().Secrets > before
	}
	clear(k.buf)
}

// doubt adds which key logs held no key.
func (k *keyring) doubt(r *audit.Result, redacted bool) {
	for i, g := range k.growing {
		if redacted {
			g.name = fmt.Sprintf("key log %d", i+1)
		}
		if !g.held {
			r.Caveats = append(r.Caveats, finding.Caveat{Code: audit.CaveatKeyLog, Subject: finding.Subject{Kind: "file", Name: g.name}})
		}
	}
}
