package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"linger"
	"linger/capture/har"
	"linger/infer"
)

// loadWorkload returns what arg names: a built-in workload, a HAR file or a list
// of the user's own. The notes say what was guessed, a sentence each.
func loadWorkload(arg string, seed uint64) (w linger.Workload, notes []string, err error) {
	if isURL(arg) {
		return w, nil, usage("%q is a URL, which linger compare and linger get fetch; name a workload, a .har file or a list", arg)
	}
	w, err = linger.ParseWorkload(arg, seed)
	if err == nil {
		return w, nil, nil
	}
	// What looks like a file is one, whatever the built-in names are near to.
	f, openErr := os.Open(arg)
	if errors.Is(openErr, fs.ErrNotExist) && !strings.ContainsAny(arg, "./\\") {
		return w, nil, usage("%w", err)
	}
	if openErr != nil {
		return w, nil, usage("cannot read the workload: %w", openErr)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return w, nil, usage("%s is a folder; name a .har file or a list of exchanges", arg)
	}
	name := filepath.Base(arg)
	if isHAR(arg) {
		t, err := har.Read(f)
		if err != nil {
			return w, nil, usage("%s: %w", name, err)
		}
		w, notes, err = infer.Workload(t)
		if err != nil {
			return w, nil, usage("%s: %w", name, err)
		}
		if w.Name == t.Workload { // not a name of its own
			w.Name = name
		}
		return w, notes, nil
	}
	w, err = linger.ParseList(name, f)
	if err != nil {
		return w, nil, usage("%s: %w", name, err)
	}
	return w, nil, nil
}

// isHAR reports whether a file is an HTTP Archive, as it is or packed; .zhar is mitmproxy's.
func isHAR(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".har") || strings.HasSuffix(name, ".har.gz") || strings.HasSuffix(name, ".zhar")
}

// adjust applies what the flags say about a workload: its scheme, and the wait of
// the client between knowing of an exchange and wanting it.
func adjust(w linger.Workload, scheme, think string) (linger.Workload, error) {
	if scheme != "" {
		var err error
		if w, err = w.WithScheme(scheme); err != nil {
			return w, usage("--scheme: %w", err)
		}
	}
	if think == "" {
		return w, nil
	}
	d, err := parseDuration(think)
	if err == nil && (d < 0 || d > linger.MaxThink) {
		err = fmt.Errorf("%v; give 0s to %v", d, time.Duration(linger.MaxThink))
	}
	if err != nil {
		return w, usage("--think: %w", err)
	}
	return w.WithThink(d), nil
}
