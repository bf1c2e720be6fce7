-- Edited by hand: Drizzle can express neither WITHOUT ROWID nor a move of millions of rows in slices. The old tables are
-- set aside here, which takes no time, and src/db/moves.ts moves their rows into the new ones before the server serves.
ALTER TABLE `train_points` RENAME TO `old_train_points`;--> statement-breakpoint
ALTER TABLE `val_points` RENAME TO `old_val_points`;--> statement-breakpoint
ALTER TABLE `events` RENAME TO `old_events`;--> statement-breakpoint
DROP INDEX `events_run`;--> statement-breakpoint
CREATE TABLE `events` (
	`sequence` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`run_id` text,
	`type` text NOT NULL,
	`timestamp` text NOT NULL,
	`data` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `events_run` ON `events` (`run_id`,`sequence`);--> statement-breakpoint
CREATE INDEX `events_type` ON `events` (`type`,`sequence`);--> statement-breakpoint
CREATE INDEX `events_run_type` ON `events` (`run_id`,`type`,`sequence`);--> statement-breakpoint
CREATE TABLE `removals` (
	`run_id` text PRIMARY KEY NOT NULL,
	`last_sequence` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `run_keys` (
	`key` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`run_id` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `run_keys_run_id_unique` ON `run_keys` (`run_id`);--> statement-breakpoint
CREATE TABLE `train_points` (
	`run_key` integer NOT NULL,
	`step` integer NOT NULL,
	`loss` real,
	`lr` real,
	`grad_norm` real,
	`tokens_per_second` real,
	`step_ms` real,
	`mfu` real,
	`epoch` real,
	PRIMARY KEY(`run_key`, `step`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `val_points` (
	`run_key` integer NOT NULL,
	`step` integer NOT NULL,
	`loss` real,
	`perplexity` real,
	`bpb` real,
	PRIMARY KEY(`run_key`, `step`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `val_points_best` ON `val_points` (`run_key`,`loss`);--> statement-breakpoint
INSERT INTO `run_keys` (`run_id`) SELECT `id` FROM `runs` ORDER BY `id`;--> statement-breakpoint
-- Sequences go on where the old table's counter is: none is given twice.
INSERT INTO `sqlite_sequence` (`name`, `seq`) SELECT 'events', `seq` FROM `sqlite_sequence` WHERE `name` = 'old_events';
--> statement-breakpoint
DROP INDEX `runs_status`;--> statement-breakpoint
DROP INDEX `runs_dataset`;--> statement-breakpoint
CREATE INDEX `runs_queue` ON `runs` (`status`,"priority" desc,`id`);--> statement-breakpoint
CREATE INDEX `runs_status` ON `runs` (`status`,`id`);--> statement-breakpoint
CREATE INDEX `runs_dataset` ON `runs` (`dataset_id`,`status`);--> statement-breakpoint
DROP INDEX `webhook_deliveries_due`;--> statement-breakpoint
CREATE INDEX `webhook_deliveries_age` ON `webhook_deliveries` (`status`,`created_at`);--> statement-breakpoint
CREATE INDEX `webhook_deliveries_due` ON `webhook_deliveries` (`status`,`next_attempt_at`,`id`);--> statement-breakpoint
CREATE INDEX `idempotency_keys_age` ON `idempotency_keys` (`created_at`);
