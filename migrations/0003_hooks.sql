CREATE TABLE `hook_runs` (
	`hook_name` text NOT NULL,
	`scheme` text NOT NULL,
	`delivery_id` text NOT NULL,
	`run_id` text NOT NULL,
	`created_at` text NOT NULL,
	PRIMARY KEY(`hook_name`, `scheme`, `delivery_id`)
);
--> statement-breakpoint
CREATE TABLE `old_secrets` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`owner_id` text NOT NULL,
	`sealed_secret` text NOT NULL,
	`expires_at` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `old_secrets_owner` ON `old_secrets` (`owner_id`);--> statement-breakpoint
ALTER TABLE `hooks` ADD `events` text;--> statement-breakpoint
ALTER TABLE `hooks` ADD `branches` text;--> statement-breakpoint
INSERT INTO `hook_runs` SELECT `hooks`.`name`, `hooks`.`scheme`, `delivery_id`, `run_id`, `hook_deliveries`.`created_at` FROM `hook_deliveries` JOIN `hooks` ON `hooks`.`id` = `hook_id`;--> statement-breakpoint
DROP TABLE `hook_deliveries`;