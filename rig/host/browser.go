package host

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"linger"
	"linger/browser"
)

// scratch is what a browser's lab has in memory: where every Linux has such a folder,
// which the browser uses in any case.
const scratch = "/dev/shm"

// ScratchOf is what a strategy's client needs in memory.
func ScratchOf(s linger.Strategy) string {
	if s.Client == "" {
		return ""
	}
	return scratch
}

// asBrowser turns the order for our own client into one for a browser that trusts the
// servers of those keys.
func (o ClientOrder) asBrowser(pins []string) (browserOrder, error) {
	path, err := browser.Find()
	var places []browser.Place
	for _, p := range o.Places {
		places = append(places, browser.Place{Host: p.Host, Address: p.Address})
	}
	return browserOrder{Scenario: o.Scenario, Secrets: o.Secrets, Config: browser.Config{
		Path: path, Places: places, Dir: scratch, Pins: pins,
	}}, err
}

// beBrowser has a browser run one scenario.
func beBrowser(ctx context.Context, std streams) error {
	var order browserOrder
	if err := take("browser", std.in, &order); err != nil {
		return err
	}
	ctx, stop := std.heeding(ctx)
	defer stop()
	if order.Secrets {
		order.Config.KeyLog = filepath.Join(order.Config.Dir, "secrets")
	}
	order.Config.Env = std.env
	t, err := browser.Run(ctx, order.Scenario, order.Config)
	if err != nil {
		return err
	}
	seen := ClientSeen{Trace: t}
	if order.Secrets {
		if seen.Secrets, err = os.ReadFile(order.Config.KeyLog); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return json.NewEncoder(std.out).Encode(seen)
}
