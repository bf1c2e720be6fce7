CREATE TABLE `checkpoints` (
	`id` text PRIMARY KEY NOT NULL,
	`run_id` text NOT NULL,
	`step` integer NOT NULL,
	`directory` text NOT NULL,
	`bytes` integer NOT NULL,
	`files` text NOT NULL,
	`train_loss` real,
	`val_loss` real,
	`created_at` text NOT NULL,
	FOREIGN KEY (`run_id`) REFERENCES `runs`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `checkpoints_run_step` ON `checkpoints` (`run_id`,`step`);--> statement-breakpoint
CREATE TABLE `datasets` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`sha256` text NOT NULL,
	`bytes` integer NOT NULL,
	`characters` integer NOT NULL,
	`distinct_characters` integer NOT NULL,
	`documents` integer NOT NULL,
	`created_at` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `datasets_name_unique` ON `datasets` (`name`);--> statement-breakpoint
CREATE UNIQUE INDEX `datasets_sha256_unique` ON `datasets` (`sha256`);--> statement-breakpoint
CREATE TABLE `events` (
	`sequence` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`run_id` text NOT NULL,
	`type` text NOT NULL,
	`timestamp` text NOT NULL,
	`data` text NOT NULL,
	FOREIGN KEY (`run_id`) REFERENCES `runs`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `events_run` ON `events` (`run_id`,`sequence`);--> statement-breakpoint
CREATE TABLE `hook_deliveries` (
	`hook_id` text NOT NULL,
	`delivery_id` text NOT NULL,
	`run_id` text NOT NULL,
	`created_at` text NOT NULL,
	PRIMARY KEY(`hook_id`, `delivery_id`),
	FOREIGN KEY (`hook_id`) REFERENCES `hooks`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `hooks` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`scheme` text NOT NULL,
	`sealed_secret` text NOT NULL,
	`run` text NOT NULL,
	`map` text NOT NULL,
	`created_at` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `hooks_name_unique` ON `hooks` (`name`);--> statement-breakpoint
CREATE TABLE `idempotency_keys` (
	`scope` text NOT NULL,
	`key` text NOT NULL,
	`body_sha256` text NOT NULL,
	`status` integer NOT NULL,
	`sealed_answer` text NOT NULL,
	`created_at` text NOT NULL,
	PRIMARY KEY(`scope`, `key`)
);
--> statement-breakpoint
CREATE TABLE `runs` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`status` text NOT NULL,
	`dataset_id` text,
	`config` text NOT NULL,
	`tags` text NOT NULL,
	`step` integer DEFAULT 0 NOT NULL,
	`max_steps` integer NOT NULL,
	`epoch` real DEFAULT 0 NOT NULL,
	`tokens_seen` integer DEFAULT 0 NOT NULL,
	`parameters` integer NOT NULL,
	`best_val_loss` real,
	`last_metrics` text,
	`device` text,
	`error` text,
	`attempts` integer DEFAULT 0 NOT NULL,
	`stalled_attempts` integer DEFAULT 0 NOT NULL,
	`stop_requested` text,
	`created_at` text NOT NULL,
	`started_at` text,
	`finished_at` text,
	FOREIGN KEY (`dataset_id`) REFERENCES `datasets`(`id`) ON UPDATE no action ON DELETE set null
);
--> statement-breakpoint
CREATE INDEX `runs_status` ON `runs` (`status`);--> statement-breakpoint
CREATE INDEX `runs_dataset` ON `runs` (`dataset_id`);--> statement-breakpoint
CREATE TABLE `train_points` (
	`run_id` text NOT NULL,
	`step` integer NOT NULL,
	`loss` real,
	`lr` real,
	`grad_norm` real,
	`tokens_per_second` real,
	`step_ms` real,
	`mfu` real,
	`epoch` real,
	PRIMARY KEY(`run_id`, `step`),
	FOREIGN KEY (`run_id`) REFERENCES `runs`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `val_points` (
	`run_id` text NOT NULL,
	`step` integer NOT NULL,
	`loss` real,
	`perplexity` real,
	`bpb` real,
	PRIMARY KEY(`run_id`, `step`),
	FOREIGN KEY (`run_id`) REFERENCES `runs`(`id`) ON UPDATE no action ON DELETE cascade
);
