package flags

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"linger"
	"linger/console"
	"linger/fault"
	"linger/rig"
)

// Load returns what arg names: a built-in workload, a HAR file or a list
// of the user's own. The notes say what was guessed, a sentence each.
func Load(ctx context.Context, arg string, seed uint64) (w linger.Workload, notes []string, err error) {
	if IsURL(arg) {
		return w, nil, fault.Usage("%q is a URL, which linger compare and linger get fetch; name a workload, a .har file or a list", arg)
	}
	w, err = linger.ParseWorkload(arg, seed)
	if err == nil {
		return w, nil, nil
	}
	// What looks like a file is one, whatever the built-in names are near to.
	f, openErr := console.OpenInput(ctx, arg, nil)
	if errors.Is(openErr, fs.ErrNotExist) && !strings.ContainsAny(arg, "./\\") {
		return w, nil, fault.Usage("%w", err)
	}
	if openErr != nil {
		return w, nil, fault.Usage("cannot read the workload: %w", openErr)
	}
	defer f.Close()
	if f.Info.IsDir() {
		return w, nil, fault.Usage("%s is a folder; name a .har file or a list of exchanges", arg)
	}
	return rig.ReadWorkload(arg, f)
}

// Adjust applies what the flags say about a workload: its scheme, and the wait of
// the client between knowing of an exchange and wanting it.
func Adjust(w linger.Workload, scheme, think string) (linger.Workload, error) {
	if scheme != "" {
		var err error
		if w, err = w.WithScheme(scheme); err != nil {
			return w, fault.Usage("--scheme: %w", err)
		}
	}
	if think == "" {
		return w, nil
	}
	d, err := Duration(think)
	if err == nil && (d < 0 || d > linger.MaxThink) {
		err = fmt.Errorf("%v; give 0s to %v", d, time.Duration(linger.MaxThink))
	}
	if err != nil {
		return w, fault.Usage("--think: %w", err)
	}
	return w.WithThink(d), nil
}
