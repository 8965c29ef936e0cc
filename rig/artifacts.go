package rig

import (
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
	"linger/fault"
	"linger/lab"
	"linger/legible"
	"linger/rig/host"
	"linger/trace"
	"linger/whole"
)

// Artifacts are what is kept of a trial besides its trace: files by their names,
// "" for none.
type Artifacts struct {
	// Packets is a pcapng file; the secrets of the trial's TLS and QUIC are in it.
	Packets string
	// Keylog is a file in the format of SSLKEYLOGFILE; lines are added to it.
	Keylog string
	// HAR is a HAR file of the trial.
	HAR string
	// Qlog is NAME.qlog, which becomes NAME.CONNECTION.qlog for each QUIC connection.
	Qlog string

	raw *os.File // the packets while the lab writes them, without the secrets
}

// secrets reports whether the secrets of the trial are wanted.
func (k Artifacts) secrets() bool { return k.Packets != "" || k.Keylog != "" }

// prepare has the lab write its packets.
func (k *Artifacts) prepare(c *lab.Config) error {
	if k.Packets == "" {
		return nil
	}
	// Beside its destination: the same disk.
	f, err := os.CreateTemp(filepath.Dir(k.Packets), ".linger-*.pcapng")
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
func (k *Artifacts) discard() {
	if k.raw != nil {
		k.raw.Close()
	}
}

// Write puts everything where it belongs, once the lab is closed, which may have failed:
// then the packets are not whole. version is this program's.
func (k *Artifacts) Write(seen *host.ClientSeen, w linger.Workload, version string, closed error) error {
	errs := []error{closed}
	if k.HAR != "" {
		errs = append(errs, writeFile(k.HAR, whole.Create, func(to io.Writer) error {
			return trace.WriteHAR(to, seen.Trace, w, version)
		}))
	}
	if k.Packets != "" && closed != nil {
		errs[0] = fmt.Errorf("%s: %w", k.Packets, closed)
	} else if k.Packets != "" {
		errs = append(errs, writeFile(k.Packets, whole.CreateSecret, func(w io.Writer) error {
			if _, err := k.raw.Seek(0, io.SeekStart); err != nil {
				return err
			}
			return trace.AddSecrets(w, k.raw, seen.Secrets)
		}))
	}
	if k.Keylog != "" && len(seen.Secrets) > 0 {
		if err := appendFile(k.Keylog, seen.Secrets); err != nil {
			errs = append(errs, fmt.Errorf("SSLKEYLOGFILE: %w; name a file that can be written, or unset it", err))
		}
	}
	if k.Qlog != "" {
		for _, conn := range slices.Sorted(maps.Keys(seen.Qlog)) {
			errs = append(errs, writeFile(QlogName(k.Qlog, conn), whole.Create, func(w io.Writer) error {
				_, err := w.Write(seen.Qlog[conn])
				return err
			}))
		}
	}
	return errors.Join(errs...)
}

// QlogName is the file of a connection's qlog, of a name that is given for all.
func QlogName(name string, conn int) string {
	return fmt.Sprintf("%s.%d.qlog", strings.TrimSuffix(name, filepath.Ext(name)), conn)
}

// writeFile has a file written that create begins, fit for the format of its ending, and puts it
// where it belongs when it is whole.
func writeFile(name string, create func(string) (*whole.File, error), write func(io.Writer) error) error {
	return whole.Write(name, create, legible.Through(legible.KindOf(filepath.Ext(name)), write))
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

// Losses gather what could not be kept, from several trials at once.
type Losses struct {
	mu   sync.Mutex
	errs []error
}

// Add takes in what could not be kept of one.
func (l *Losses) Add(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

// Err returns the first loss, or nil: the others have the same cause.
func (l *Losses) Err() error {
	if len(l.errs) == 0 {
		return nil
	}
	return fault.Machine("%w; the result is whole, what was to be kept besides is not", l.errs[0])
}
