package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"linger"
	"linger/lab"
	"linger/trace"
)

// keepsakes are what is kept of a trial besides its trace: files by their names,
// "" for none.
type keepsakes struct {
	// packets is a pcapng file; the secrets of the trial's TLS and QUIC are in it.
	packets string
	// keylog is a file in the format of SSLKEYLOGFILE; lines are added to it.
	keylog string
	// har is a HAR file of the trial.
	har string
	// qlog is NAME.qlog, which becomes NAME.CONNECTION.qlog for each QUIC connection.
	qlog string

	raw *os.File // the packets while the lab writes them, without the secrets
}

// secrets reports whether the secrets of the trial are wanted.
func (k keepsakes) secrets() bool { return k.packets != "" || k.keylog != "" }

// prepare has the lab write its packets.
func (k *keepsakes) prepare(c *lab.Config) error {
	if k.packets == "" {
		return nil
	}
	// Beside its destination: the same disk.
	f, err := os.CreateTemp(filepath.Dir(k.packets), ".linger-*.pcapng")
	if err != nil {
		return err
	}
	// Without a name there is nothing to be left behind.
	if err := os.Remove(f.Name()); err != nil {
		return errors.Join(err, f.Close())
	}
	k.raw = f
	c.Capture, c.CaptureLimit = f, captureLimit
	return nil
}

// discard lets go of what prepare made.
func (k *keepsakes) discard() {
	if k.raw != nil {
		k.raw.Close()
	}
}

// write puts everything where it belongs, once the lab is closed.
func (k *keepsakes) write(seen *clientSeen, w linger.Workload) error {
	var errs []error
	if k.har != "" {
		errs = append(errs, writeFile(k.har, func(to io.Writer) error {
			return trace.WriteHAR(to, seen.Trace, w, version)
		}))
	}
	if k.packets != "" {
		errs = append(errs, writeFile(k.packets, func(w io.Writer) error {
			if _, err := k.raw.Seek(0, io.SeekStart); err != nil {
				return err
			}
			return trace.AddSecrets(w, k.raw, seen.Secrets)
		}))
	}
	if k.keylog != "" && len(seen.Secrets) > 0 {
		if err := appendFile(k.keylog, seen.Secrets); err != nil {
			errs = append(errs, fmt.Errorf("SSLKEYLOGFILE: %w; name a file that can be written, or unset it", err))
		}
	}
	if k.qlog != "" {
		stem := strings.TrimSuffix(k.qlog, filepath.Ext(k.qlog))
		for _, conn := range slices.Sorted(maps.Keys(seen.Qlog)) {
			errs = append(errs, writeFile(fmt.Sprintf("%s.%d.qlog", stem, conn), func(w io.Writer) error {
				_, err := w.Write(seen.Qlog[conn])
				return err
			}))
		}
	}
	return errors.Join(errs...)
}

func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// appendFile adds to a file in one write, so that several writers do not mix.
func appendFile(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

// losses gather what could not be kept, from several trials at once.
type losses struct {
	mu   sync.Mutex
	errs []error
}

func (l *losses) add(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

// err returns the first loss, or nil: the others have the same cause.
func (l *losses) err() error {
	if len(l.errs) == 0 {
		return nil
	}
	return statusError{exitMachine, fmt.Errorf("%w; the result is whole, what was to be kept besides is not", l.errs[0])}
}

// qlogs holds the qlog of each QUIC connection in memory, up to a bound.
type qlogs struct {
	mu   sync.Mutex
	logs map[int]*bytes.Buffer
}

// maxQlog bounds the qlog of one connection; what is more is dropped. A gallery
// makes less than 1 MB.
const maxQlog = 64 << 20

func newQlogs() *qlogs { return &qlogs{logs: map[int]*bytes.Buffer{}} }

// open returns where a connection's qlog goes.
func (q *qlogs) open(conn int) io.WriteCloser {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := &bytes.Buffer{}
	q.logs[conn] = b
	return &qlogWriter{q, b}
}

// bytes returns the qlogs by connection.
func (q *qlogs) bytes() map[int][]byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := map[int][]byte{}
	for conn, b := range q.logs {
		out[conn] = b.Bytes()
	}
	return out
}

type qlogWriter struct {
	all *qlogs
	log *bytes.Buffer
}

func (w *qlogWriter) Write(p []byte) (int, error) {
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	if w.log.Len()+len(p) <= maxQlog {
		w.log.Write(p)
	}
	return len(p), nil
}

func (w *qlogWriter) Close() error { return nil }
