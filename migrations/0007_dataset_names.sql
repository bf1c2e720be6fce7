CREATE TABLE `dataset_names` (
	`name` text PRIMARY KEY NOT NULL,
	`dataset_id` text NOT NULL,
	`created_at` text NOT NULL,
	FOREIGN KEY (`dataset_id`) REFERENCES `datasets`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `dataset_names_dataset` ON `dataset_names` (`dataset_id`,`created_at`);--> statement-breakpoint
INSERT INTO `dataset_names` (`name`, `dataset_id`, `created_at`) SELECT `name`, `id`, `created_at` FROM `datasets`;
