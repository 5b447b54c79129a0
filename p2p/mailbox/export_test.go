package mailbox

import (
	"context"
	"fmt"
)

// LimitPages makes SQLite believe that the disk has no more than n pages.
func LimitPages(s *SQLite, n int) error {
	return s.submit(context.Background(), false, func() error {
		return s.db.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", n))
	})
}
